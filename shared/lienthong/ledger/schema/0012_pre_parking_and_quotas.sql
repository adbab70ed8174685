-- Parking: what an agency that does not collect would get waits here, until its queue is short again.

create table parked_agency (
    carrier   text primary key references agency,
    parked_at timestamptz not null default now()
);
comment on table parked_agency is
    'whose further documents wait; a router locks the row (key share) while it decides, so none is decided wrongly';

create table parked_delivery (
    document  uuid not null references document,
    carrier   text not null references agency,
    urgent    boolean not null,
    place     bigint generated always as identity,
    parked_at timestamptz not null default now(),
    sent_at   timestamptz,
    dropped   boolean not null default false,
    told_at   timestamptz,
    primary key (document, carrier)
);
comment on table parked_delivery is 'documents that were not put into a carrier''s queue when they were routed';
comment on column parked_delivery.place is 'in which order they are sent, urgent ones first';
comment on column parked_delivery.sent_at is 'since when it is in the queue after all; null while it waits';
comment on column parked_delivery.dropped is 'it was withdrawn while it waited, and not sent at sent_at';
comment on column parked_delivery.told_at is 'since when the sender knows that it is in the queue of every addressee';
create index parked_delivery_waiting on parked_delivery (carrier, urgent desc, place) where sent_at is null;
create index parked_delivery_untold on parked_delivery (document) where sent_at is not null and told_at is null;

create view queued_delivery as
select d.document, d.addressee, d.carrier, d.state,
       case when p.document is null then r.forwarded_at when not p.dropped then p.sent_at end as queued_at
from delivery d
join routing r using (document)
left join parked_delivery p using (document, carrier);
comment on column queued_delivery.queued_at is 'since when it is in the carrier''s queue; null while it is not';

grant select on parked_agency, parked_delivery, queued_delivery to lienthong_reader, lienthong_operator;
grant select on parked_agency, parked_delivery, verification to lienthong_router;
grant select on parked_delivery to lienthong_signature_verify;
grant insert, update (parked_at), delete on parked_agency to lienthong_router;
grant insert, update (sent_at, dropped, told_at) on parked_delivery to lienthong_router;

alter table notice drop constraint notice_kind_check,
    add constraint notice_kind_check check (kind in ('receipt', 'verified', 'refusal', 'waiting', 'delivered'));

-- Quotas: how much an agency may send, and has sent.

alter table agency
    add column documents_per_minute integer check (documents_per_minute >= 0),
    add column megabytes_per_hour   integer check (megabytes_per_hour >= 0),
    add column statuses_per_minute  integer check (statuses_per_minute >= 0);
comment on column agency.documents_per_minute is 'null: as the setting says; 0: no limit; the others likewise';

create table quota_use (
    user_name      text not null,
    kind           text not null check (kind in ('document', 'status')),
    messages_until timestamptz not null default 'epoch',
    bytes_until    timestamptz not null default 'epoch',
    over_since     timestamptz,
    primary key (user_name, kind)
);
comment on table quota_use is 'two leaking buckets for each user, by the moment at which each will be empty';
comment on column quota_use.over_since is 'since when its messages are refused; null when they are not';

grant select on quota_use to lienthong_reader, lienthong_operator;
grant select, insert, update (messages_until, bytes_until, over_since) on quota_use to
    lienthong_ingest, lienthong_status_tracker;
