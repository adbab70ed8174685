-- What is told outside the exchange: who asked for it, what goes out, and what operators have to see to.

-- name: subscriptions
select s.agency, s.channel, s.target, s.topics, s.language, s.digest_hour, s.set_at,
       count(l.letter) filter (where l.state = 'waiting') as waiting,
       count(l.letter) filter (where l.state = 'sent') as sent,
       count(l.letter) filter (where l.state = 'given-up') as given_up,
       (array_agg(l.trouble order by l.made_at desc) filter (where l.state <> 'sent' and l.trouble is not null))[1]
           as trouble
from subscription s
left join letter l on l.agency is not distinct from s.agency and l.channel = s.channel and l.target = s.target
group by s.agency, s.channel, s.target, s.topics, s.language, s.digest_hour, s.set_at
order by s.agency nulls first, s.channel, s.target

-- name: set_subscription
insert into subscription as s (agency, channel, target, topics, language, digest_hour) values ($1, $2, $3, $4, $5, $6)
on conflict (coalesce(agency, ''), channel, target) do update
    set topics = excluded.topics, language = excluded.language, digest_hour = excluded.digest_hour, set_at = now()
    where (s.topics, s.language, s.digest_hour) is distinct from
          (excluded.topics, excluded.language, excluded.digest_hour)
returning s.target

-- name: end_subscription
delete from subscription where agency is not distinct from $1 and channel = $2 and target = $3 returning target

-- name: take_packing_turn
-- One notifier at a time puts together a digest: else two might each send half of one.
select pg_try_advisory_xact_lock(28201914)

-- name: pack_digests
with due as (
    select cause, agency, channel, target, language,
           -- Nothing is left out of what a machine reads; it gets several calls of no more than $2 each.
           case channel when 'webhook' then
               (row_number() over (partition by agency, channel, target, language order by caused_at, cause) - 1) / $2
           end as part
    from announcement where letter is null and due_at <= $1
), digest as (
    select agency, channel, target, language, part, gen_random_uuid() as letter
    from (select distinct agency, channel, target, language, part from due) as parts
), made as (
    insert into letter (letter, agency, channel, target, language, next_at)
    select letter, agency, channel, target, language, $1 from digest
)
update announcement a set letter = digest.letter
from due, digest
where a.cause = due.cause and a.channel = due.channel and a.target = due.target
  and due.agency is not distinct from digest.agency and due.channel = digest.channel and due.target = digest.target
  and due.language = digest.language and due.part is not distinct from digest.part

-- name: claim_letters
-- The oldest due one of each circuit that is not closed to us: nothing behind one target waits for another. Targets are
-- walked along the index, so that many letters for one of them cost no more than one.
with recursive targets as (
    (select channel, target from letter where state = 'waiting' order by channel, target limit 1)
    union all
    select following.channel, following.target
    from targets t,
         lateral (
             select l.channel, l.target from letter l
             where l.state = 'waiting' and (l.channel, l.target) > (t.channel, t.target)
             order by l.channel, l.target limit 1
         ) as following
), heads as (
    select distinct on (circuit) due.letter
    from (
        select channel, target, case channel when 'mail' then 'mail' else target end as circuit from targets
        where channel = any ($2::text[])
    ) as t,
    lateral (
        select l.letter, l.next_at from letter l
        where l.state = 'waiting' and l.channel = t.channel and l.target = t.target and l.next_at <= $1
        order by l.next_at limit 1
    ) as due
    where circuit <> all ($3::text[])
    order by circuit, due.next_at
), mine as (
    select letter from letter
    where letter in (select letter from heads) and state = 'waiting' and next_at <= $1
    order by next_at limit $4
    for update skip locked
)
update letter l set attempts = l.attempts + 1, next_at = $5
from mine where l.letter = mine.letter
returning l.letter, l.agency, l.channel, l.target, l.language, l.attempts, l.made_at

-- name: letter_announcements
-- The first $2 of each letter, and how many there are.
select a.letter, a.cause, a.topic, a.kind, a.subject, a.document, a.facts, a.caused_at,
       d.document_id, d.code, d.sender, a.announcements
from unnest($1::uuid[]) as wanted (letter),
     lateral (
         select *, count(*) over () as announcements from announcement
         where letter = wanted.letter order by caused_at, cause limit $2
     ) as a
left join document d using (document)
order by a.letter, a.caused_at, a.cause

-- name: settle_letter
-- A letter that somebody else has settled meanwhile stays as it is.
with fact as (
    update letter set state = $2, done_at = case when $2 = 'waiting' then null else $3::timestamptz end, next_at = $4,
                      trouble = $5
    where letter = $1 and state = 'waiting'
    returning *
)
insert into entry (kind, agency, facts)
select case state when 'sent' then 'LetterSent' else 'LetterGivenUp' end, agency,
       jsonb_build_object('letter', letter, 'channel', channel, 'target', target, 'attempts', attempts, 'trouble', trouble,
                          'reader', case when agency is null then 'operators' else 'agency' end)
from fact
where state <> 'waiting'

-- name: forget_letters
-- What was done before $1, at most $2 letters; returns how many. An entry is announced when it is made, and never again:
-- nothing has to be remembered of it. What may come about anew under the same cause is remembered for good.
with old as (
    select letter from letter
    where done_at < $1
      and not exists (select from announcement a where a.letter = letter.letter and a.cause not like 'entry %')
    order by done_at limit $2
    for update skip locked
), said as (
    delete from announcement where letter in (select letter from old)
), gone as (
    delete from letter where letter in (select letter from old) returning letter
)
select count(*) from gone

-- name: count_waiting_letters
select channel, count(*) as letters from letter where state = 'waiting' group by channel

-- name: raise_alarms
with found as (
    select subject, agency, vi, en
    from jsonb_to_recordset($2::jsonb) as r (subject text, agency text, vi text, en text)
), gone as (
    update alarm set cleared_at = $3
    where alarm = $1 and cleared_at is null and subject <> all (select subject from found)
    returning *
), fact as (
    insert into alarm (alarm, subject, agency, vi, en, raised_at)
    select $1, subject, agency, vi, en, $3 from found
    order by subject
    on conflict do nothing
    returning *
), history as (
    insert into entry (kind, agency, facts)
    select 'AlarmRaised', agency, jsonb_build_object('alarm', alarm, 'subject', subject, 'vi', vi, 'en', en) from fact
    union all
    select 'AlarmCleared', agency, jsonb_build_object('alarm', alarm, 'subject', subject) from gone
)
select subject, vi, en, true as raised from fact union all select subject, vi, en, false from gone

-- name: ending_certificates
-- Of those connected, by the certificate that ends last.
select a.code, a.name, max(c.valid_to) as valid_to
from agency a
join agency_certificate c on c.agency = a.code
where a.stage in ('trial', 'official')
group by a.code, a.name
having max(c.valid_to) <= $1
order by a.code

-- name: first_ending_certificate
-- When the first of the connected agencies is without a certificate; null when the directory has none.
select min(valid_to)
from (select max(c.valid_to) as valid_to
      from agency a
      join agency_certificate c on c.agency = a.code
      where a.stage in ('trial', 'official')
      group by a.code) ends
