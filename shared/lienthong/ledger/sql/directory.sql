-- Who the agencies are, and under which codes.

-- name: directory_version
select version from directory_version

-- name: select_agencies
select code, name, kind, stage, parent, supervised from agency

-- name: select_valid_codes
select code, agency from agency_code where valid_from <= $1::date and $1::date < valid_to

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
