-- What waits in the ledger for agencies that do not collect.

-- name: parked_among
-- Which of these are parked; none of them ceases to be before this transaction ends.
select carrier from parked_agency where carrier = any ($1::text[]) order by carrier for key share

-- name: parked_agencies
select carrier from parked_agency order by carrier

-- name: park_agency
with fact as (
    insert into parked_agency (carrier) values ($1) on conflict do nothing returning carrier
), history as (
    insert into entry (kind, agency, facts)
    select 'AgencyParked', carrier, jsonb_build_object('queued', $2::bigint, 'limit', $3::bigint) from fact
)
select carrier from fact

-- name: take_parking_turn
-- One router at a time sends what waits: so it stays in order, and nobody counts a document's rest twice.
select pg_try_advisory_xact_lock(28201908)

-- name: waiting_deliveries
select document from parked_delivery where carrier = $1 and sent_at is null order by urgent desc, place limit $2

-- name: mark_deliveries_sent
with fact as (
    update parked_delivery p set sent_at = m.at, dropped = m.dropped
    from unnest($2::uuid[], $3::timestamptz[], $4::boolean[]) as m (key, at, dropped)
    where p.carrier = $1 and p.document = m.key and p.sent_at is null
    returning p.document, p.carrier, p.sent_at, p.parked_at, p.dropped
)
insert into entry (kind, document, agency, facts)
select case when dropped then 'ParkedDeliveryDropped' else 'ParkedDeliverySent' end, document, carrier,
       jsonb_build_object('parked_at', parked_at, 'sent_at', sent_at)
from fact

-- name: lock_parked_agency
-- Waits until no router decides by it any more.
select carrier from parked_agency where carrier = $1 for update

-- name: unpark_agency
with fact as (
    delete from parked_agency a
    where carrier = $1 and not exists (select from parked_delivery d where d.carrier = a.carrier and d.sent_at is null)
    returning carrier, parked_at
), history as (
    insert into entry (kind, agency, facts)
    select 'AgencyUnparked', carrier, jsonb_build_object('parked_at', parked_at) from fact
)
select carrier from fact

-- name: completed_documents
-- What has left for every addressee at last, and the sender does not know it yet.
select distinct p.document
from parked_delivery p
join routing r using (document)
where p.sent_at is not null and p.told_at is null and r.forwarded_at is not null
  and not exists (select from parked_delivery o where o.document = p.document and o.sent_at is null)
order by p.document
limit $1

-- name: mark_completed_told
update parked_delivery set told_at = $2 where document = any ($1::uuid[])

-- name: parked_summary
select a.carrier as code, g.name, a.parked_at, count(d.document) as documents, min(d.parked_at) as oldest
from parked_agency a
join agency g on g.code = a.carrier
left join parked_delivery d on d.carrier = a.carrier and d.sent_at is null
group by a.carrier, g.name, a.parked_at
order by a.carrier
