-- The whole directory: who took over from whom, stages with their days, software, contacts, certificates, security level;
-- which rows changed since when, so that a reader of 111,339 agencies fetches only those; and which documents are tests.

alter table agency
    add column successor          text references agency,
    add column succeeded_on       date,
    add column software           text,
    add column software_version   text,
    add column security_level     smallint check (security_level between 1 and 5),
    add column conformance_on     date,
    add column conformance_passed boolean,
    add column version            bigint not null default 0,
    add check (num_nulls(successor, succeeded_on) in (0, 2)),
    add check (successor <> code),
    add check (num_nulls(conformance_on, conformance_passed) in (0, 2));
comment on column agency.successor is 'the agency it was merged into, from succeeded_on on (Vietnamese date)';
comment on column agency.security_level is 'approved security level of its information system (Decree 85/2016/NĐ-CP)';
comment on column agency.conformance_on is 'the day of its last conformance run';
comment on column agency.version is 'directory_version at which the row changed last';
create index agency_version on agency (version);
create index agency_successor on agency (successor) where successor is not null;

alter table agency_code add column version bigint not null default 0;
create index agency_code_version on agency_code (version);

alter table directory_version add column reread bigint not null default 0;
comment on column directory_version.reread is
    'readers of an older version read everything: rows were deleted, which leaves nothing that says so';

-- Before the rows, so that they carry the new number: who changes the directory holds the number until the commit, and so
-- numbers become visible in their order. A reader that has seen one has missed nothing below it.
drop trigger directory_changed on agency;
drop trigger directory_changed on agency_code;
create or replace function directory_changed() returns trigger language plpgsql as $$
begin
    update directory_version
    set version = version + 1, reread = case when tg_op in ('DELETE', 'TRUNCATE') then version + 1 else reread end;
    return null;
end $$;
create trigger directory_changed before insert or update or delete or truncate on agency
    for each statement execute function directory_changed();
create trigger directory_changed before insert or update or delete or truncate on agency_code
    for each statement execute function directory_changed();

create function directory_row_changed() returns trigger language plpgsql as $$
begin
    select version into strict new.version from directory_version;
    return new;
end $$;
create trigger directory_row_changed before insert or update on agency
    for each row execute function directory_row_changed();
create trigger directory_row_changed before insert or update on agency_code
    for each row execute function directory_row_changed();

create table agency_stage (
    agency text not null references agency,
    since  timestamptz not null,
    stage  text not null check (stage in ('registered', 'in-progress', 'trial', 'official', 'suspended')),
    primary key (agency, since)
);
comment on table agency_stage is 'since when an agency has been in which stage; who decided it stands in entry';
insert into agency_stage (agency, since, stage) select code, registered_at, stage from agency;

create function agency_stage_changed() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        insert into agency_stage (agency, since, stage)
        select code, now(), stage from after_change
        on conflict (agency, since) do update set stage = excluded.stage;
    else
        insert into agency_stage (agency, since, stage)
        select a.code, now(), a.stage
        from after_change a join before_change b using (code)
        where a.stage <> b.stage
        on conflict (agency, since) do update set stage = excluded.stage;
    end if;
    return null;
end $$;
create trigger agency_stage_began after insert on agency
    referencing new table as after_change
    for each statement execute function agency_stage_changed();
create trigger agency_stage_changed after update on agency
    referencing old table as before_change new table as after_change
    for each statement execute function agency_stage_changed();

create table agency_contact (
    agency text not null references agency,
    role   text not null check (role in ('clerk', 'technical')),
    name   text,
    email  text,
    phone  text,
    primary key (agency, role),
    check (num_nonnulls(email, phone) > 0)
);
comment on table agency_contact is 'whom to ask at an agency: about documents its clerk, about its connection a technician';

create table agency_certificate (
    agency        text not null references agency,
    fingerprint   text not null check (fingerprint ~ '^[0-9a-f]{64}$'),
    subject       text not null,
    serial_number text not null,
    valid_from    timestamptz not null,
    valid_to      timestamptz not null,
    certificate   bytea not null,
    added_at      timestamptz not null default now(),
    primary key (agency, fingerprint)
);
comment on table agency_certificate is 'the certificates an agency has named as its own; whether one is believed is judged';
comment on column agency_certificate.fingerprint is 'SHA-256 of the DER encoding';

alter table document
    add column test    boolean not null default false,
    add column flagged boolean not null default false,
    add check (test or not flagged);
comment on column document.test is 'sent on trial: never counted as official';
comment on column document.flagged is 'its sender said itself that it is a test';

grant select on agency_stage, agency_contact, agency_certificate to lienthong_reader, lienthong_operator;

create index entry_decision on entry (agency, recorded_at) where kind in (
    'AgencyAdmitted', 'AgencyMerged', 'AgencyResumed', 'AgencyStaged', 'AgencySuspended', 'CertificateRecorded',
    'ConformanceRecorded', 'ContactRecorded', 'CredentialRotated');
