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
