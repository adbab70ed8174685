-- Deadlines: which days offices work on, by when each delivery has to be answered, and what has been told about that.
-- What was delivered before this migration is not watched: its time was over before anybody could be warned.

create table calendar_day (
    day        date primary key,
    working    boolean not null,
    reason     text not null,
    decided_by text not null,
    decided_at timestamptz not null default now()
);
comment on table calendar_day is
    'days about which an operator has decided: swapped days that the calendar library does not know, days off for storms';

create table sending (
    document  uuid primary key references document,
    dating    text not null check (dating in ('in-time', 'late', 'ahead', 'long-ago', 'undated')),
    due_at    timestamptz,
    judged_at timestamptz not null,
    check ((due_at is null) = (dating in ('ahead', 'long-ago', 'undated')))
);
comment on table sending is 'whether a document was sent in time, by the date it carries and the moment it was received';

alter table delivery
    add column next_due_at     timestamptz,
    add column receipt_due_at  timestamptz,
    add column transfer_due_at timestamptz,
    add column finish_due_at   timestamptz;
alter table delivery alter column next_due_at set default '-infinity';
create index delivery_next_due on delivery (next_due_at) where next_due_at is not null;
comment on column delivery.next_due_at is 'when its clocks have to be looked at; -infinity: at once; null: never again';
comment on column delivery.receipt_due_at is 'by when its receipt has to be told; null where no such clock runs';

create table deadline (
    deadline uuid primary key,
    document uuid not null references document,
    agency   text not null references agency,
    clock    text not null check (clock in ('sending', 'receipt', 'transfer', 'finish')),
    level    text not null check (level in ('half', 'most', 'breach', 'ahead')),
    due_at   timestamptz,
    noted_at timestamptz not null,
    told_at  timestamptz,
    dropped  boolean not null default false,
    unique (document, agency, clock, level)
);
comment on table deadline is 'what there was to tell about a clock, once each; told_at: since when that is done with';
comment on column deadline.agency is 'who had to act: the addressee, or for the sending the sender';
comment on column deadline.dropped is 'something further had happened before it could be told, so it was not';
create index deadline_untold on deadline (noted_at, deadline) where told_at is null;

create view delivery_answer as
select d.document, d.addressee, s.receipt_at, s.receipt_by, s.transfer_at, s.transfer_by, s.finish_at, s.finish_by,
       case when d.state in ('withdrawn', 'replaced', 'lapsed') then d.changed_at end as ended_at
from delivery d
cross join lateral (
    select min(received_at) filter (where code <> '13') as receipt_at,
           (array_agg(status order by received_at, status) filter (where code <> '13'))[1] as receipt_by,
           min(received_at) filter (where code in ('02', '04', '05', '06')) as transfer_at,
           (array_agg(status order by received_at, status) filter (where code in ('02', '04', '05', '06')))[1]
               as transfer_by,
           min(received_at) filter (where code in ('02', '06')) as finish_at,
           (array_agg(status order by received_at, status) filter (where code in ('02', '06')))[1] as finish_by
    from status
    where document = d.document and addressee = d.addressee and outcome = 'applied'
) as s;
comment on view delivery_answer is
    'when, by the exchange''s clock, a delivery was answered as each of its clocks demands, and by which status';
comment on column delivery_answer.ended_at is 'since when nothing more is demanded of the receiver';

create view lateness as
select d.document, 'sending' as clock, d.sender as agency, d.sender, d.test,
       d.promulgated_on::timestamp at time zone 'Asia/Ho_Chi_Minh' as started_at, s.due_at, d.received_at as met_at,
       d.document as evidence, s.dating
from sending s
join document d using (document)
union all
select v.document, c.clock, v.addressee, d.sender, d.test, q.queued_at, c.due_at, least(c.answered_at, a.ended_at),
       case when c.answered_at <= coalesce(a.ended_at, 'infinity') then c.evidence end, null
from delivery v
join document d using (document)
join queued_delivery q using (document, addressee)
join delivery_answer a using (document, addressee)
cross join lateral (values
    ('receipt', v.receipt_due_at, a.receipt_at, a.receipt_by),
    ('transfer', v.transfer_due_at, a.transfer_at, a.transfer_by),
    ('finish', v.finish_due_at, a.finish_at, a.finish_by)
) as c (clock, due_at, answered_at, evidence)
where c.due_at is not null;
comment on view lateness is
    'every clock of every document: who had to act (agency), by when, and when that was done; late where met_at, or now '
    'while that is null, is not before due_at';
comment on column lateness.evidence is 'the status that did it, or for the sending the document; null when nothing did';

alter table notice drop constraint notice_kind_check,
    add constraint notice_kind_check check
        (kind in ('receipt', 'verified', 'refusal', 'waiting', 'delivered', 'deadline'));

grant select on calendar_day, sending, deadline, delivery_answer, lateness to lienthong_reader, lienthong_operator;
grant select on document, routing, delivery, status, parked_delivery, calendar_day, sending, deadline,
    queued_delivery, delivery_answer to lienthong_notifier;
grant update (next_due_at, receipt_due_at, transfer_due_at, finish_due_at) on delivery to lienthong_notifier;
grant insert on sending, deadline to lienthong_notifier;
grant update (told_at, dropped) on deadline to lienthong_notifier;
