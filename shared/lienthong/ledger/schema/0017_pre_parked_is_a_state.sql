-- What waits because its receiver does not collect is `parked`, as document/life_cycle.py has it. That it waits is
-- written in `parked_delivery` alone, so who reads states reads them here. To the status-tracker it is as good as
-- delivered: the receiver that reports something has it, whatever the router could record before it died.
create or replace view queued_delivery as
select d.document, d.addressee, d.carrier,
       case when p.sent_at is null and p.document is not null and d.state = 'delivered' then 'parked' else d.state
       end as state,
       case when p.document is null then r.forwarded_at when not p.dropped then p.sent_at end as queued_at,
       d.changed_at
from delivery d
join routing r using (document)
left join parked_delivery p using (document, carrier);
comment on column delivery.state is 'what is parked stands here as delivered: see queued_delivery';
