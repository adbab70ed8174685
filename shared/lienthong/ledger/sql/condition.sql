-- How the ledger itself is; see `lienthong.ledger.condition`. Read only.

-- name: server
select current_setting('server_version_num')::int as version, clock_timestamp() as now,
       array(select name from schema_migration) as migrations

-- name: rights_there_are
-- What each of these roles may do to each table and view, by whatever way; of updates to each column.
with relation as (
    select oid, relname::text as name from pg_class
    where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v') and not relispartition
), role as (
    select oid, rolname::text as name from pg_roles where rolname = any ($1::text[])
)
select role.name as role, relation.name as "table", verb, '' as "column"
from role cross join relation cross join unnest(array['select', 'insert', 'delete', 'truncate']) as verb
where has_table_privilege(role.oid, relation.oid, verb)
union all
select role.name, relation.name, 'update', a.attname::text
from role cross join relation join pg_attribute a on a.attrelid = relation.oid and a.attnum > 0 and not a.attisdropped
where has_column_privilege(role.oid, relation.oid, a.attnum, 'update')

-- name: tables_there_are
select relname::text as name from pg_class
where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v') and not relispartition
