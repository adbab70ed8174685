-- The ledger. Facts are tables with a key each; `entry` is the append-only history of all of them.
-- `forwarded_at` on a fact says when everything it caused had left for the next step, confirmed by the broker;
-- null means that its input still stands in a queue, or was dead-lettered.

-- Directory ---------------------------------------------------------------------------------------------------------

create table agency (
    code          text primary key check (length(code) between 1 and 35),
    name          text not null,
    kind          text not null default '',
    stage         text not null check (stage in ('registered', 'in-progress', 'trial', 'official', 'suspended')),
    parent        text references agency,
    supervised    boolean not null default false,
    registered_at timestamptz not null default now()
);
comment on column agency.code is 'canonical code: the new form where there is one (Decision 20/2020/QĐ-TTg)';
comment on column agency.supervised is 'one of the units that the supervision of connection and feedback counts';

create table agency_code (
    code       text not null check (length(code) between 1 and 35),
    agency     text not null references agency,
    valid_from date not null default '-infinity',
    valid_to   date not null default 'infinity',
    primary key (code, valid_from),
    check (valid_from < valid_to)
);
comment on table agency_code is 'every way to write an agency''s code, with the days on which it meant that agency';
create index agency_code_agency on agency_code (agency);

-- Readers of the directory keep it in memory and read it anew when this number moves.
create table directory_version (
    only_row boolean primary key default true check (only_row),
    version  bigint not null
);
insert into directory_version (version) values (1);

create function directory_changed() returns trigger language plpgsql as $$
begin
    update directory_version set version = version + 1;
    return null;
end $$;
create trigger directory_changed after insert or update or delete or truncate on agency
    for each statement execute function directory_changed();
create trigger directory_changed after insert or update or delete or truncate on agency_code
    for each statement execute function directory_changed();

-- Facts -------------------------------------------------------------------------------------------------------------

create table submission (
    user_name   text not null,
    message_id  text not null,
    sha256      text not null,
    size        bigint not null,
    received_at timestamptz not null,
    primary key (user_name, message_id)
);
comment on table submission is 'one AMQP message of one agency; message_id is the agency''s choice and unique for it only';

create table document (
    document     uuid primary key,
    sender       text not null references agency,
    document_id  text not null,
    business     smallint not null check (business between 0 and 3),
    user_name    text not null,
    message_id   text not null,
    sha256       text not null,
    size         bigint not null,
    subject      text,
    code         text,
    promulgated_on date,
    type_name    text,
    due_on       date,
    priority     smallint not null,
    lane         text not null check (lane in ('ordinary', 'urgent')),
    addressees   text[] not null,
    submitted_at timestamptz not null,
    received_at  timestamptz not null,
    recorded_at  timestamptz not null default now(),
    forwarded_at timestamptz,
    unique (sender, document_id, business)
);
comment on column document.document_id is 'edXML DocumentId, unique for its sender (Decision 28/2018/QĐ-TTg, Art. 10.2b)';
comment on column document.submitted_at is 'when the sender says it submitted; received_at where it does not say';
create index document_message on document (user_name, message_id);
create index document_recorded on document (recorded_at);

create table attachment (
    document     uuid not null references document,
    ordinal      smallint not null,
    name         text not null,
    content_type text,
    size         bigint not null,
    sha256       text not null,
    primary key (document, ordinal)
);

create table refusal (
    refusal      uuid primary key,
    step         text not null,
    about        text not null check (about in ('document', 'status')),
    user_name    text not null,
    message_id   text not null,
    document_id  text,
    sha256       text not null,
    problems     jsonb not null check (jsonb_array_length(problems) > 0),
    recorded_at  timestamptz not null default now(),
    forwarded_at timestamptz
);
create index refusal_user on refusal (user_name, recorded_at);

create table verification (
    document     uuid primary key references document,
    verdict      text not null check (verdict in ('valid', 'invalid', 'indeterminate', 'unsigned')),
    reason       text not null,
    grounds      jsonb not null,
    recorded_at  timestamptz not null default now(),
    forwarded_at timestamptz
);

create table routing (
    document     uuid primary key references document,
    outcome      text not null check (outcome in ('routed', 'refused')),
    recorded_at  timestamptz not null default now(),
    forwarded_at timestamptz
);

create table delivery (
    document    uuid not null references document,
    addressee   text not null references agency,
    written     text not null,
    carrier     text not null references agency,
    state       text not null default 'delivered' check (state in
                ('delivered', 'arrived', 'refused', 'accepted', 'assigned', 'processing', 'finished', 'withdrawn')),
    take_back   boolean not null default false,
    recorded_at timestamptz not null default now(),
    changed_at  timestamptz not null default now(),
    primary key (document, addressee)
);
comment on column delivery.written is 'the addressee''s code as the sender wrote it';
comment on column delivery.carrier is 'whose delivery queue it stands in: the addressee, or its nearest connected ancestor';
create index delivery_carrier on delivery (carrier, recorded_at);
create index delivery_addressee on delivery (addressee, recorded_at);

create table status_code (
    code   text primary key,
    vi     text not null,
    en     text not null,
    office text check (office in ('clerk', 'leader', 'officer'))
);
insert into status_code (code, vi, en, office) values
    ('01', 'Đã đến, văn thư chưa xử lý', 'Arrived at the clerk', 'clerk'),
    ('02', 'Từ chối tiếp nhận (trả lại)', 'Refused by the receiver', 'clerk'),
    ('03', 'Đã tiếp nhận, vào sổ văn bản đến', 'Accepted and registered', 'clerk'),
    ('04', 'Lãnh đạo đã phân công xử lý', 'Assigned by a leader', 'leader'),
    ('05', 'Chuyên viên đang xử lý', 'In hand with an officer', 'officer'),
    ('06', 'Đã hoàn thành', 'Completed', 'officer'),
    ('13', 'Bên gửi yêu cầu lấy lại', 'Sender asks to take back', null),
    ('15', 'Đồng ý cập nhật hoặc lấy lại', 'Receiver agrees to the update or take-back', null),
    ('16', 'Từ chối cập nhật hoặc lấy lại', 'Receiver refuses the update or take-back', null);

create table status (
    status       uuid not null,
    document     uuid not null,
    addressee    text not null,
    reporter     text not null references agency,
    user_name    text not null,
    message_id   text not null,
    sha256       text not null,
    code         text not null references status_code,
    description  text,
    outcome      text not null check (outcome in ('applied', 'repeated', 'illegal')),
    state_before text not null,
    state_after  text not null,
    reported_at  timestamptz not null,
    received_at  timestamptz not null,
    recorded_at  timestamptz not null default now(),
    forwarded_at timestamptz,
    primary key (status, addressee),
    foreign key (document, addressee) references delivery
);
comment on column status.reported_at is 'when the reporter says it submitted; received_at where it does not say';
create index status_document on status (document, addressee);
create index status_reporter on status (reporter, recorded_at);

create table notice (
    notice       uuid primary key,
    agency       text not null,
    kind         text not null check (kind in ('receipt', 'refusal', 'delivered')),
    document     uuid,
    caused_at    timestamptz not null,
    recorded_at  timestamptz not null default now(),
    forwarded_at timestamptz
);

-- History -----------------------------------------------------------------------------------------------------------

create table entry (
    entry       bigint generated always as identity,
    recorded_at timestamptz not null default now(),
    kind        text not null,
    document    uuid,
    agency      text,
    digest      text,
    facts       jsonb not null,
    primary key (recorded_at, entry)
) partition by range (recorded_at);
comment on table entry is 'append-only history: what, when, about which document, by whom, the digest of what it rests on';
create index entry_document on entry (document);

create function entry_is_append_only() returns trigger language plpgsql as $$
begin
    raise exception 'entry is append-only: % refused', tg_op using errcode = 'insufficient_privilege';
end $$;
-- A row trigger is inherited by every partition, present and future; TRUNCATE knows statement triggers only, which are
-- not inherited, so each partition gets its own.
create trigger entry_is_append_only before update or delete on entry
    for each row execute function entry_is_append_only();
create trigger entry_is_not_truncated before truncate on entry
    for each statement execute function entry_is_append_only();

create table entry_other partition of entry default;
create trigger entry_is_not_truncated before truncate on entry_other
    for each statement execute function entry_is_append_only();

create function make_entry_partitions(months integer) returns integer language plpgsql set timezone = 'UTC' as $$
declare
    first_day date := date_trunc('month', now())::date;
    made      integer := 0;
    part      text;
begin
    for ahead in 0..months loop
        part := 'entry_' || to_char(first_day + make_interval(months => ahead), 'YYYY_MM');
        if to_regclass(part) is null then
            execute format('create table %I partition of entry for values from (%L) to (%L)', part,
                           first_day + make_interval(months => ahead), first_day + make_interval(months => ahead + 1));
            execute format('create trigger entry_is_not_truncated before truncate on %I '
                           'for each statement execute function entry_is_append_only()', part);
            made := made + 1;
        end if;
    end loop;
    return made;
end $$;
comment on function make_entry_partitions is 'creates the monthly partitions from this month on; returns how many were new';
select make_entry_partitions(12);

-- Roles: each worker may do what its step needs and nothing else ------------------------------------------------------

do $$
declare
    name text;
begin
    foreach name in array array['ingest', 'signature_verify', 'router', 'status_tracker', 'notifier', 'reader'] loop
        begin
            execute format('create role %I nologin', 'lienthong_' || name);
        exception when duplicate_object or unique_violation then
            null; -- roles belong to the cluster: another database of it made them
        end;
    end loop;
end $$;

grant usage on schema public to
    lienthong_ingest, lienthong_signature_verify, lienthong_router, lienthong_status_tracker, lienthong_notifier,
    lienthong_reader;
grant select on all tables in schema public to
    lienthong_ingest, lienthong_signature_verify, lienthong_router, lienthong_status_tracker, lienthong_notifier,
    lienthong_reader;
grant insert on entry to
    lienthong_ingest, lienthong_signature_verify, lienthong_router, lienthong_status_tracker, lienthong_notifier;

grant insert on submission, document, attachment, refusal to lienthong_ingest;
grant update (forwarded_at) on document, refusal to lienthong_ingest;

grant insert on verification, refusal to lienthong_signature_verify;
grant update (forwarded_at) on verification, refusal to lienthong_signature_verify;

grant insert on routing, delivery, refusal to lienthong_router;
grant update (forwarded_at) on routing, refusal to lienthong_router;

grant insert on submission, status, refusal to lienthong_status_tracker;
grant update (forwarded_at) on status, refusal to lienthong_status_tracker;
grant update (state, take_back, changed_at) on delivery to lienthong_status_tracker;

grant insert on notice to lienthong_notifier;
grant update (forwarded_at) on notice to lienthong_notifier;
