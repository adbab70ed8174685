-- What reports count. Tests are left out everywhere. $1, $2: the period, by the ledger's clock.

-- name: connection
-- A unit's stage is the one it was in at the end of the period; one that was not in the directory by then is left out.
-- Connected is who is official.
with sent as (
    select sender, count(*) as documents from document
    where recorded_at >= $1 and recorded_at < $2 and not test
    group by sender
)
select a.code, a.name, a.kind, s.stage, s.stage = 'official' as connected,
       case when s.stage = 'official' then (
           select min(c.since) from agency_stage c
           where c.agency = a.code and c.since < $2 and c.stage = 'official') end as connected_since,
       a.software, a.software_version, a.security_level, coalesce(sent.documents, 0) as sent
from agency a
left join sent on sent.sender = a.code
join lateral (
    select stage from agency_stage where agency = a.code and since < $2 order by since desc limit 1
) as s on true
where a.supervised
order by a.code

-- name: feedback
-- Of what reached each unit in the period: how much was answered at all, by each office, and to the end.
with delivered as (
    select q.document, q.addressee
    from queued_delivery q join document d using (document)
    where not d.test and q.queued_at >= $1 and q.queued_at < $2
), told as (
    select s.document, s.addressee,
           bool_or(c.office = 'clerk') as clerk, bool_or(c.office = 'leader') as leader,
           bool_or(c.office = 'officer') as officer, bool_or(s.code = '06') as finished
    from status s join status_code c using (code)
    where s.outcome = 'applied' and c.office is not null and s.recorded_at >= $1 and s.recorded_at < $2
    group by s.document, s.addressee
)
select delivered.addressee as code, count(*) as documents, count(told.document) as answered,
       count(*) filter (where clerk) as clerk, count(*) filter (where leader) as leader,
       count(*) filter (where officer) as officer, count(*) filter (where finished) as finished
from delivered left join told using (document, addressee)
group by delivered.addressee

-- name: feedback_evidence
-- The first applied status of each code of each unit.
select distinct on (s.reporter, s.code) s.reporter as unit, s.code, c.office, s.document, d.document_id, d.sender,
       d.code as number, s.reported_at as at, s.status
from status s join status_code c using (code) join document d using (document) join agency a on a.code = s.reporter
where a.supervised and not d.test and s.outcome = 'applied' and c.office is not null
  and s.recorded_at >= $1 and s.recorded_at < $2
order by s.reporter, s.code, s.recorded_at, s.document

-- name: feedback_silence
-- The first document that each of these units ($3) got.
select distinct on (q.addressee) q.addressee as unit, q.document, d.document_id, d.sender, d.code as number,
       q.queued_at as at
from queued_delivery q join document d using (document)
where q.addressee = any ($3::text[]) and not d.test and q.queued_at >= $1 and q.queued_at < $2
order by q.addressee, q.queued_at, q.document

-- name: traffic
-- Documents that were received in the period, and what came of them since, up to now.
with sent as (
    select document, size, lane, sender from document where recorded_at >= $1 and recorded_at < $2 and not test
)
select (select count(*) from sent) as documents,
       (select coalesce(sum(size), 0)::bigint from sent) as bytes,
       (select count(*) from sent where lane = 'urgent') as urgent,
       (select count(distinct sender) from sent) as senders,
       (select count(*) from delivery join sent using (document)) as deliveries,
       (select count(*) from status s join sent using (document) where s.outcome = 'applied') as statuses,
       (select count(*) from document_state join sent using (document) where state = 'stopped') as refused

-- name: traffic_groups
-- By kind, act, size, hour and day of Vietnam: each document once in each of these groups.
with sent as materialized (
    select size, business, btrim(coalesce(type_name, '')) as kind,
           recorded_at at time zone 'Asia/Ho_Chi_Minh' as local,
           case when size < 102400 then 0 when size < 1048576 then 1 when size < 10485760 then 2 else 3 end as class
    from document where recorded_at >= $1 and recorded_at < $2 and not test
), grouped as (
    select 'kinds' as part, kind as name, size from sent
    union all select 'acts', business::text, size from sent
    union all select 'sizes', class::text, size from sent
    union all select 'hours', to_char(local, 'HH24'), size from sent
    union all select 'days', to_char(local, 'YYYY-MM-DD'), size from sent
)
select part, name, count(*) as documents, sum(size)::bigint as bytes from grouped group by part, name order by part, name

-- name: traffic_pairs
select d.sender, v.addressee, count(*) as deliveries, sum(d.size)::bigint as bytes,
       (array_agg(d.document order by d.recorded_at, d.document))[1] as first
from document d join delivery v using (document)
where d.recorded_at >= $1 and d.recorded_at < $2 and not d.test
group by d.sender, v.addressee
order by deliveries desc, d.sender, v.addressee

-- name: agency_names
select code, name from agency where code = any ($1::text[])

-- name: lateness_counts
-- Of the clocks that were due in the period, by what and whom: done in time, done late, overdue at $3, or still running.
select clock, agency, count(*) as due, count(*) filter (where met_at < due_at) as in_time,
       count(*) filter (where met_at >= due_at) as late,
       count(*) filter (where met_at is null and due_at <= $3) as overdue,
       count(*) filter (where met_at is null and due_at > $3) as running
from lateness
where due_at >= $1 and due_at < $2 and not test
group by clock, agency

-- name: lateness_worst
-- The longest late of them by $3, at most $4.
select l.clock, l.agency, l.due_at, l.met_at, l.document, l.evidence, d.document_id, d.sender, d.code as number,
       extract(epoch from coalesce(l.met_at, $3) - l.due_at)::bigint as seconds
from lateness l join document d using (document)
where l.due_at >= $1 and l.due_at < $2 and not l.test and coalesce(l.met_at, $3) >= l.due_at
order by seconds desc, l.document, l.agency, l.clock
limit $4
