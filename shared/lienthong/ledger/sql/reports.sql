-- What people ask of the ledger. Read only.

-- name: supervision
-- $1, $2: the period; tests do not count; a unit's grade comes from the offices whose work its applied statuses speak of.
-- Its stage is that at the end of the period; what was not in the directory by then is left out. Connected is who is
-- official: what is exchanged on trial has no official value.
with unit as (
    select a.code, a.name, s.stage, s.stage = 'official' as connected
    from agency a
    join lateral (
        select stage from agency_stage where agency = a.code and since < $2 order by since desc limit 1
    ) as s on true
    where a.supervised
), received as (
    select d.addressee as code, count(*) as documents
    from queued_delivery d join document using (document)
    where d.queued_at >= $1 and d.queued_at < $2 and not document.test
    group by d.addressee
), told as (
    select s.reporter as code, count(distinct c.office) as offices,
           bool_or(c.office = 'leader') as leader, bool_or(c.office = 'officer') as officer
    from status s join status_code c using (code) join document using (document)
    where not document.test and s.outcome = 'applied' and c.office is not null and s.recorded_at >= $1 and s.recorded_at < $2
    group by s.reporter
)
select unit.code, unit.name, unit.stage, unit.connected, coalesce(received.documents, 0) as documents,
       case
           when not unit.connected then 'not-connected'
           when received.documents is null then 'nothing-received'
           when told.offices is null then 'never'
           when told.offices = 3 then 'fully'
           when told.leader or told.officer then 'partly'
           else 'arrival-only'
       end as feedback
from unit
left join received using (code)
left join told using (code)
order by unit.code

-- name: totals
select (select count(*) from document) as documents,
       (select count(*) from document where forwarded_at is null) as documents_waiting,
       (select count(*) from routing where outcome = 'routed') as routed,
       (select count(*) from routing where outcome = 'refused') as refused_by_router,
       (select count(*) from delivery) as deliveries,
       (select count(*) from status where outcome = 'applied') as statuses,
       (select count(*) from status where outcome = 'illegal') as statuses_illegal,
       (select count(*) from refusal) as refusals,
       (select count(*) from entry) as entries

-- name: values
-- What documents of a period are worth by their latest judgement; tests are worth nothing.
select case when held_until is not null then 'held' else value end as value, count(*) as documents
from (
    select distinct on (v.document) v.value, v.held_until
    from verification v join document d using (document)
    where d.recorded_at >= $1 and d.recorded_at < $2 and not d.test
    order by v.document, v.judgement desc
) as latest
group by 1

-- name: timings
-- Seconds from the sender's submission to the confirmed delivery queue, and to the first status in its own queue.
-- For what was parked the exchange waited for the receiver: that is not its own time.
with queued as (
    select extract(epoch from r.forwarded_at - d.submitted_at) as seconds
    from document d join routing r using (document)
    where r.outcome = 'routed' and r.forwarded_at is not null and not d.test
      and d.recorded_at >= $1 and d.recorded_at < $2
      and not exists (select from parked_delivery p where p.document = d.document)
), told as (
    select extract(epoch from min(s.forwarded_at) - d.submitted_at) as seconds
    from document d join status s using (document)
    where s.outcome = 'applied' and s.forwarded_at is not null and not d.test
      and d.recorded_at >= $1 and d.recorded_at < $2
    group by d.document, s.addressee
)
select 'delivery' as what, count(*) as count,
       percentile_cont(0.5) within group (order by seconds)::float8 as median,
       percentile_cont(0.99) within group (order by seconds)::float8 as p99
from queued
union all
select 'status', count(*), percentile_cont(0.5) within group (order by seconds)::float8,
       percentile_cont(0.99) within group (order by seconds)::float8
from told

-- name: recorded_documents
select document, sender, document_id, business, user_name, message_id, sha256 from document order by document

-- name: recorded_deliveries
select document, addressee, written, carrier, state from delivery order by document, addressee

-- name: recorded_statuses
select document, addressee, reporter, code, outcome, message_id
from status
order by document, addressee, recorded_at, status

-- name: recorded_outcomes
-- What has become of every document: refused, withdrawn by all its receivers, delivered to its queues, or none of it yet.
select d.document, d.sender, d.document_id, d.sha256,
       case
           when r.outcome = 'refused' or exists (
               select from refusal f
               where f.about = 'document' and f.user_name = d.user_name and f.message_id = d.message_id
           ) then 'refused'
           when r.forwarded_at is null then 'waiting'
           when exists (select from parked_delivery p where p.document = d.document and p.sent_at is null) then 'waiting'
           when exists (select from delivery v where v.document = d.document and v.state <> 'withdrawn') then 'delivered'
           else 'withdrawn'
       end as outcome
from document d
left join routing r using (document)
order by d.document

-- name: recorded_refusals
select user_name, about, document_id, message_id from refusal order by refusal

-- name: entry_differences
-- Every fact stands in the history once, and what the history speaks of is there: what does not, by kind and key.
with fact as (
    select 'DocumentReceived' as kind, document::text as key from document
    union all
    select 'DocumentVerified', document || ' ' || judgement from verification
    union all
    select 'DeliveryRecorded', document || ' ' || addressee from delivery
    union all
    select 'DeliveryParked', document || ' ' || carrier from parked_delivery
    union all
    select case when dropped then 'ParkedDeliveryDropped' else 'ParkedDeliverySent' end, document || ' ' || carrier
    from parked_delivery where sent_at is not null
    union all
    select 'StatusReported', concat_ws(' ', document, addressee, reporter, code, message_id) from status
    union all
    select case about when 'document' then 'DocumentRefused' else 'StatusRefused' end,
           concat_ws(' ', user_name, message_id)
    from refusal
    union all
    select 'NoticeGiven', notice::text from notice
    union all
    select 'DeadlineNoted', deadline::text from deadline
    union all
    select 'ActionRecorded', concat_ws(' ', earlier, addressee, document) from action
    union all
    select 'ActionSettled', concat_ws(' ', earlier, addressee, document) from action
    where outcome in ('agreed', 'declined', 'lapsed')
), facts as (
    select kind, key, count(*) as times from fact group by kind, key
), entries as (
    select kind,
           case kind
               when 'DocumentReceived' then document::text
               when 'DocumentVerified' then document || ' ' || (facts ->> 'judgement')
               when 'DeliveryRecorded' then document || ' ' || agency
               when 'DeliveryParked' then document || ' ' || agency
               when 'ParkedDeliverySent' then document || ' ' || agency
               when 'ParkedDeliveryDropped' then document || ' ' || agency
               when 'StatusReported' then
                   concat_ws(' ', document, facts ->> 'addressee', agency, facts ->> 'code', facts ->> 'message_id')
               when 'NoticeGiven' then facts ->> 'notice'
               when 'DeadlineNoted' then facts ->> 'deadline'
               when 'ActionRecorded' then concat_ws(' ', document, agency, facts ->> 'by')
               when 'ActionSettled' then concat_ws(' ', document, agency, facts ->> 'by')
               else concat_ws(' ', agency, facts ->> 'message_id')
           end as key,
           count(*) as times
    from entry
    where kind in ('DocumentReceived', 'DocumentVerified', 'DeliveryRecorded', 'DeliveryParked', 'ParkedDeliverySent',
                   'ParkedDeliveryDropped', 'StatusReported', 'DocumentRefused', 'StatusRefused', 'NoticeGiven',
                   'ActionRecorded', 'ActionSettled', 'DeadlineNoted')
    group by 1, 2
)
select kind, key, coalesce(facts.times, 0) as facts, coalesce(entries.times, 0) as entries
from facts
full join entries using (kind, key)
where facts.times is distinct from entries.times
order by kind, key

-- name: document_story
select recorded_at, kind, agency, digest, facts from entry where document = $1 order by recorded_at, entry
