-- What backup, restore and reconcile ask and record.

-- name: applied_migrations
select name, digest from schema_migration order by name collate "C"

-- name: tables_to_copy
-- Every table with its columns, its primary key in an order that is the same on every server, and what it refers to.
select quote_ident(c.relname) as name,
       array(select quote_ident(a.attname) from pg_attribute a
             where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
             order by a.attnum) as columns,
       array(select quote_ident(a.attname) || case when t.typcategory = 'S' then ' collate "C"' else '' end
             from pg_index i
             cross join unnest(i.indkey) with ordinality as k (attnum, place)
             join pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum
             join pg_type t on t.oid = a.atttypid
             where i.indrelid = c.oid and i.indisprimary
             order by k.place) as "order",
       array(select quote_ident(r.relname) from pg_constraint f join pg_class r on r.oid = f.confrelid
             where f.conrelid = c.oid and f.contype = 'f') as needs
from pg_class c
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
  and c.relname <> 'schema_migration'
order by c.relname collate "C"

-- name: tables_with_triggers
select distinct quote_ident(c.relname) as name
from pg_trigger t
join pg_class c on c.oid = t.tgrelid
where c.relnamespace = 'public'::regnamespace and not c.relispartition and not t.tgisinternal

-- name: identity_columns
-- How to let each numbered column go on after its greatest number.
select format('select setval(pg_get_serial_sequence(%L, %L), coalesce(max(%I), 1), max(%I) is not null) from %I',
              quote_ident(table_name), column_name, column_name, column_name, table_name) as go_on
from information_schema.columns c
where table_schema = 'public' and is_identity = 'YES'
  and not exists (select from pg_class p where p.oid = to_regclass(quote_ident(c.table_name)) and p.relispartition)

-- name: unfinished
-- What was recorded before $1 and has not gone on, by the step whose input has to be somewhere for that: an input that
-- was not answered with a refusal, and is neither in its queue nor a dead letter, is lost.
with unrefused as (
    select d.* from document d
    where not exists (select from refusal r where r.about = 'document' and r.user_name = d.user_name
                      and r.message_id = d.message_id and r.sha256 = d.sha256)
), delivered as (
    select distinct on (document) document, judgement, value, forwarded_at
    from verification where held_until is null
    order by document, judgement
)
select 'ingest' as step, document as key, 0 as judgement from unrefused
where forwarded_at is null and recorded_at < $1
union all
select 'signature-verify', document, 1 from unrefused d
where forwarded_at < $1 and not exists (select from verification v where v.document = d.document)
union all
select 'signature-verify', document, judgement from verification
where forwarded_at is null and recorded_at < $1
union all
select 'router', v.document, v.judgement
from delivered v join unrefused using (document) left join routing r using (document)
where v.forwarded_at < $1 and v.value <> 'refused' and r.forwarded_at is null
union all
select distinct 'status-tracker', status, 0 from status
where outcome = 'applied' and forwarded_at is null and recorded_at < $1

-- name: untold
-- What an agency should have been told because of what had left before $1, and no notice of it has been sent.
with due as (
    -- A judgement that refuses a document before its delivery is told as a refusal.
    select v.document, v.judgement from verification v
    where v.forwarded_at < $1
      and (v.value <> 'refused' or exists (select from verification b where b.document = v.document
                                           and b.judgement < v.judgement and b.held_until is null))
), sent as (
    select document, kind, agency, count(*) as times from notice
    where forwarded_at is not null and document is not null
    group by document, kind, agency
)
select 'receipt' as kind, d.document as key, 0 as judgement from document d
where d.forwarded_at < $1
  and not exists (select from sent s where s.document = d.document and s.kind = 'receipt' and s.agency = d.user_name)
union all
select 'verified', due.document, due.judgement from due join document d using (document)
where (select count(*) from due other where other.document = due.document)
      > coalesce((select times from sent s where s.document = d.document and s.kind = 'verified'
                  and s.agency = d.user_name), 0)
union all
select 'delivered', r.document, 0 from routing r
where r.outcome = 'routed' and r.forwarded_at < $1
  and not exists (select from sent s where s.document = r.document and s.kind = 'delivered')
  and not exists (select from parked_delivery p
                  where p.document = r.document and (p.told_at is null or p.told_at >= $1))
union all
select distinct 'waiting', r.document, 0 from routing r join parked_delivery p using (document)
where r.forwarded_at < $1 and p.sent_at is null
  and not exists (select from sent s where s.document = r.document and s.kind = 'waiting')
union all
select 'refusal', r.refusal, 0 from refusal r
where r.recorded_at < $1 and not exists (select from notice n where n.notice = r.refusal and n.forwarded_at is not null)

-- name: unreported
-- What was delivered before $1 and of which no receiver has said anything, and whether it was delivered again before.
select d.document, d.carrier,
       exists (select from entry e where e.document = d.document and e.kind = 'DeliveryRepeated'
               and e.agency = d.carrier) as repeated
from queued_delivery d
where d.queued_at < $1
group by d.document, d.carrier
having bool_and(d.state = 'delivered')
order by d.carrier, d.document

-- name: reporting_carriers
select distinct carrier from delivery where state <> 'delivered'

-- name: open_dead_letters
select user_name, message_id from dead_letter where state in ('waiting', 'replaying', 'discarding')

-- name: recall_status_inputs
select distinct status, document, user_name, message_id, sha256 from status where status = any ($1::uuid[])

-- name: insert_repairs
insert into entry (kind, document, agency, digest, facts)
select kind, document, agency, digest, facts
from jsonb_to_recordset($1::jsonb) as r (kind text, document uuid, agency text, digest text, facts jsonb)
