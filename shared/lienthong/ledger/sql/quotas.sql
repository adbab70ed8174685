-- How much agencies have sent, of what they may.

-- name: begin_quota_use
insert into quota_use (user_name, kind)
select user_name, $1 from unnest($2::text[]) as u (user_name)
where not exists (select from quota_use q where q.user_name = u.user_name and q.kind = $1)
order by user_name
on conflict do nothing

-- name: lock_quota_use
select user_name, messages_until, bytes_until, over_since, documents_per_minute, megabytes_per_hour,
       statuses_per_minute
from quota_use q
left join agency a on a.code = q.user_name
where q.kind = $1 and user_name = any ($2::text[])
order by user_name
for update of q

-- name: quota_clock
select clock_timestamp()

-- name: update_quota_use
update quota_use q set messages_until = r.messages_until, bytes_until = r.bytes_until, over_since = r.over_since
from jsonb_to_recordset($2::jsonb)
    as r (user_name text, messages_until timestamptz, bytes_until timestamptz, over_since timestamptz)
where q.user_name = r.user_name and q.kind = $1

-- name: divert
insert into diverted as d (agency, until)
select agency, clock_timestamp() + period from unnest($1::text[], $2::interval[]) as u (agency, period)
order by agency
on conflict (agency) do update set until = greatest(d.until, excluded.until)

-- name: hold_diversions
select agency from diverted where agency = any ($1::text[]) order by agency for update

-- name: end_diversions
delete from diverted
where agency in (select agency from diverted where until < clock_timestamp() order by agency for update skip locked)
returning agency

-- name: diverted
select agency, until from diverted where agency = any ($1::text[]) and until > clock_timestamp()

-- name: all_diverted
select agency from diverted

-- name: any_diverted
select exists (select from diverted)

-- name: insert_quota_entry
insert into entry (kind, agency, facts) values ($1, $2, $3::jsonb)

-- name: agency_quota
select a.code, a.name, a.documents_per_minute, a.megabytes_per_hour, a.statuses_per_minute,
       (select over_since from quota_use q where q.user_name = a.code and q.kind = 'document') as documents_over_since,
       (select over_since from quota_use q where q.user_name = a.code and q.kind = 'status') as statuses_over_since
from agency a
where a.code = $1

-- name: set_agency_quota
update agency set documents_per_minute = $2, megabytes_per_hour = $3, statuses_per_minute = $4 where code = $1
