-- Who the agencies are, and under which codes.

-- name: directory_version
select version, reread from directory_version

-- name: changed_agencies
select code, name, stage, parent, successor, succeeded_on from agency where version > $1

-- name: changed_codes
-- Every row of a code of which one changed, in the order of time.
select code, agency, valid_from, valid_to from agency_code
where code in (select code from agency_code where version > $1)
order by code, valid_from

-- name: upsert_agencies
insert into agency (code, name, kind, stage, parent, supervised)
select code, name, kind, stage, parent, supervised
from jsonb_to_recordset($1::jsonb)
    as r (code text, name text, kind text, stage text, parent text, supervised boolean)
order by code
on conflict (code) do update
set name = excluded.name, kind = excluded.kind, stage = excluded.stage, parent = excluded.parent,
    supervised = excluded.supervised

-- name: insert_codes
insert into agency_code (code, agency)
select code, agency from jsonb_to_recordset($1::jsonb) as r (code text, agency text)
order by code
on conflict do nothing
