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

-- name: import_known_agencies
-- Changes those that are there, where the list says something else; what it does not say stays.
update agency a
set name = r.name, kind = coalesce(r.kind, a.kind), parent = coalesce(r.parent, a.parent),
    supervised = coalesce(r.supervised, a.supervised), software = coalesce(r.software, a.software),
    software_version = coalesce(r.software_version, a.software_version),
    security_level = coalesce(r.security_level, a.security_level)
from jsonb_to_recordset($1::jsonb) as r (
    code text, name text, kind text, parent text, supervised boolean, software text, software_version text,
    security_level smallint)
where a.code = r.code
  and (a.name, a.kind, a.parent, a.supervised, a.software, a.software_version, a.security_level) is distinct from
      (r.name, coalesce(r.kind, a.kind), coalesce(r.parent, a.parent), coalesce(r.supervised, a.supervised),
       coalesce(r.software, a.software), coalesce(r.software_version, a.software_version),
       coalesce(r.security_level, a.security_level))
returning a.code

-- name: import_new_agencies
insert into agency (code, name, kind, stage, parent, supervised, software, software_version, security_level)
select code, name, coalesce(kind, ''), 'registered', parent, coalesce(supervised, false), software, software_version,
       security_level
from jsonb_to_recordset($1::jsonb) as r (
    code text, name text, kind text, parent text, supervised boolean, software text, software_version text,
    security_level smallint)
where not exists (select from agency a where a.code = r.code)
returning code

-- name: import_known_codes
update agency_code c
set valid_from = coalesce(r.valid_from, c.valid_from), valid_to = coalesce(r.valid_to, c.valid_to)
from jsonb_to_recordset($1::jsonb) as r (code text, agency text, valid_from date, valid_to date)
where c.code = r.code and c.agency = r.agency
  and (c.valid_from, c.valid_to) is distinct from
      (coalesce(r.valid_from, c.valid_from), coalesce(r.valid_to, c.valid_to))
returning c.agency

-- name: import_new_codes
insert into agency_code (code, agency, valid_from, valid_to)
select code, agency, coalesce(valid_from, '-infinity'), coalesce(valid_to, 'infinity')
from jsonb_to_recordset($1::jsonb) as r (code text, agency text, valid_from date, valid_to date)
where not exists (select from agency_code c where c.code = r.code and c.agency = r.agency)
returning agency

-- name: import_contacts
insert into agency_contact as c (agency, role, name, email, phone)
select agency, role, name, email, phone
from jsonb_to_recordset($1::jsonb) as r (agency text, role text, name text, email text, phone text)
on conflict (agency, role) do update
set name = coalesce(excluded.name, c.name), email = coalesce(excluded.email, c.email),
    phone = coalesce(excluded.phone, c.phone)
where (c.name, c.email, c.phone) is distinct from
      (coalesce(excluded.name, c.name), coalesce(excluded.email, c.email), coalesce(excluded.phone, c.phone))
returning agency

-- name: set_successors
update agency a
set successor = r.successor, succeeded_on = r.succeeded_on
from jsonb_to_recordset($1::jsonb) as r (code text, successor text, succeeded_on date)
where a.code = r.code and (a.successor, a.succeeded_on) is distinct from (r.successor, r.succeeded_on)
returning a.code

-- name: set_conformance
update agency
set conformance_on = $2, conformance_passed = $3, software = coalesce($4, software),
    software_version = coalesce($5, software_version)
where code = $1

-- name: insert_certificate
insert into agency_certificate (agency, fingerprint, subject, serial_number, valid_from, valid_to, certificate)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict do nothing
returning agency

-- name: select_standing
-- What an agency has to show before it is official.
select a.conformance_on, a.conformance_passed,
       array(select role from agency_contact c where c.agency = a.code and c.email is not null) as contacts,
       array(select certificate from agency_certificate c where c.agency = a.code order by valid_to desc) as certificates
from agency a
where a.code = $1

-- name: find_agencies
-- $4: part of a code, as it is typed; $6: the same as words of a name.
select a.code
from agency a
where ($1::text is null or a.stage = $1) and ($2::text is null or a.kind = $2)
  and ($3::text is null or starts_with(a.code, $3 || '.') or a.code in (
      with recursive below as (
          select code from agency where parent = $3
          union
          select c.code from agency c join below b on c.parent = b.code
      )
      select code from below))
  and ($4::text is null or a.code in (
      -- Apart from one another: then the names are found by their index.
      select code from agency where searched(name) @@ $6::text::tsquery
      union
      select agency from agency_code where position(lower($4) in lower(code)) > 0))
  and ($5::boolean is null or (a.successor is not null) = $5)
  and a.code > $7
order by a.code
limit $8

-- name: count_agencies
select count(*) as agencies
from agency a
where ($1::text is null or a.stage = $1) and ($2::text is null or a.kind = $2)
  and ($3::text is null or starts_with(a.code, $3 || '.') or a.code in (
      with recursive below as (
          select code from agency where parent = $3
          union
          select c.code from agency c join below b on c.parent = b.code
      )
      select code from below))
  and ($4::text is null or a.code in (
      -- Apart from one another: then the names are found by their index.
      select code from agency where searched(name) @@ $6::text::tsquery
      union
      select agency from agency_code where position(lower($4) in lower(code)) > 0))
  and ($5::boolean is null or (a.successor is not null) = $5)

-- name: holder_of_code
select agency as code from agency_code where code = $1 order by valid_from desc limit 1

-- name: agency_records
select a.code, a.name, a.kind, a.stage, a.parent, a.supervised, a.registered_at, a.login, a.suspended_from, a.successor,
       a.succeeded_on, a.software, a.software_version, a.security_level, a.conformance_on, a.conformance_passed,
       (select coalesce(jsonb_agg(jsonb_build_object(
                   'code', c.code, 'valid_from', nullif(c.valid_from, '-infinity'),
                   'valid_to', nullif(c.valid_to, 'infinity')) order by c.valid_from, c.code), '[]')
        from agency_code c where c.agency = a.code) as codes,
       (select coalesce(jsonb_agg(jsonb_build_object(
                   'role', c.role, 'name', c.name, 'email', c.email, 'phone', c.phone) order by c.role), '[]')
        from agency_contact c where c.agency = a.code) as contacts,
       (select coalesce(jsonb_agg(jsonb_build_object(
                   'fingerprint', c.fingerprint, 'subject', c.subject, 'serial_number', c.serial_number,
                   'valid_from', c.valid_from, 'valid_to', c.valid_to, 'added_at', c.added_at)
                   order by c.valid_to desc, c.fingerprint), '[]')
        from agency_certificate c where c.agency = a.code) as certificates,
       (select coalesce(jsonb_agg(jsonb_build_object('stage', s.stage, 'since', s.since) order by s.since), '[]')
        from agency_stage s where s.agency = a.code) as stages,
       array(select p.code from agency p where p.successor = a.code order by p.code) as predecessors
from agency a
where a.code = any ($1::text[])
order by a.code

-- name: agency_history
select recorded_at, kind, facts from entry
where agency = $1 and document is null and kind in (
    'AgencyAdmitted', 'AgencyMerged', 'AgencyResumed', 'AgencyStaged', 'AgencySuspended', 'CertificateRecorded',
    'ConformanceRecorded', 'ContactRecorded', 'CredentialRotated', 'QuotaChanged', 'SubscriptionEnded', 'SubscriptionSet')
order by recorded_at, entry
