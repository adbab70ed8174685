-- What the notifier asks and records about deadlines, and what operators decide about the calendar.

-- name: calendar_days
select day, working, reason, decided_by from calendar_day order by day

-- name: decide_day
insert into calendar_day (day, working, reason, decided_by) values ($1, $2, $3, $4)
on conflict (day) do update set working = excluded.working, reason = excluded.reason, decided_by = excluded.decided_by,
                                decided_at = now()

-- name: undecide_day
delete from calendar_day where day = $1

-- name: reckon_deadlines_anew
-- The calendar has changed: every delivery with a clock that still runs is looked at again. Locked in the order in which
-- the other workers lock deliveries.
with running as materialized (
    select document, addressee from delivery where next_due_at > '-infinity' order by document, addressee for update
)
update delivery d set next_due_at = '-infinity'
from running r
where d.document = r.document and d.addressee = r.addressee

-- name: due_deliveries
-- Deliveries whose clocks have to be looked at by now, locked; not those another notifier has locked.
select d.document, d.addressee, d.role, x.business, x.sender, x.lane, x.promulgated_on, x.due_on, x.received_at,
       exists (select from sending s where s.document = d.document) as sending_judged,
       q.queued_at, p.document is not null and p.sent_at is null as parked,
       least(a.receipt_at, a.ended_at) as receipt_at, least(a.transfer_at, a.ended_at) as transfer_at,
       least(a.finish_at, a.ended_at) as finish_at
from delivery d
join document x using (document)
join queued_delivery q using (document, addressee)
join delivery_answer a using (document, addressee)
left join parked_delivery p on p.document = d.document and p.carrier = d.carrier
where d.next_due_at <= $1
order by d.next_due_at
limit $2
for update of d skip locked

-- name: insert_sendings
insert into sending (document, dating, due_at, judged_at)
select document, dating, due_at, judged_at
from jsonb_to_recordset($1::jsonb) as r (document uuid, dating text, due_at timestamptz, judged_at timestamptz)
order by document
on conflict do nothing

-- name: insert_deadlines
with fact as (
    insert into deadline (deadline, document, agency, clock, level, due_at, noted_at)
    select deadline, document, agency, clock, level, due_at, noted_at
    from jsonb_to_recordset($1::jsonb)
        as r (deadline uuid, document uuid, agency text, clock text, level text, due_at timestamptz, noted_at timestamptz)
    order by deadline
    on conflict do nothing
    returning *
), history as (
    insert into entry (kind, document, agency, facts)
    select 'DeadlineNoted', document, agency,
           jsonb_build_object('deadline', deadline, 'clock', clock, 'level', level, 'due_at', due_at)
    from fact
)
select count(*) from fact

-- name: schedule_deliveries
update delivery d
set next_due_at = r.next_due_at, receipt_due_at = r.receipt_due_at, transfer_due_at = r.transfer_due_at,
    finish_due_at = r.finish_due_at
from jsonb_to_recordset($1::jsonb)
    as r (document uuid, addressee text, next_due_at timestamptz, receipt_due_at timestamptz,
          transfer_due_at timestamptz, finish_due_at timestamptz)
where d.document = r.document and d.addressee = r.addressee

-- name: untold_deadlines
-- What is to be told, locked; not what another notifier has locked. What something further has overtaken says so.
select f.deadline, f.document, f.agency, f.clock, f.level, f.due_at, f.noted_at, x.sender, x.document_id, x.user_name,
       d.carrier, d.state, d.take_back, d.request is not null as asked,
       case f.clock
           when 'receipt' then least(a.receipt_at, a.ended_at)
           when 'transfer' then least(a.transfer_at, a.ended_at)
           when 'finish' then least(a.finish_at, a.ended_at)
           else x.received_at
       end as met_at,
       exists (select from deadline o
               where o.document = f.document and o.agency = f.agency and o.clock = f.clock and o.noted_at > f.noted_at)
           as overtaken
from deadline f
join document x using (document)
left join delivery d on d.document = f.document and d.addressee = f.agency and f.clock <> 'sending'
left join delivery_answer a on a.document = d.document and a.addressee = d.addressee
where f.told_at is null
order by f.noted_at, f.deadline
limit $1
for update of f skip locked

-- name: mark_deadlines_told
update deadline set told_at = $2, dropped = $3 where deadline = any ($1::uuid[])
