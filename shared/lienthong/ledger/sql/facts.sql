-- What the workers write. Every batch is one JSON array; rows go in in key order, so that two workers cannot deadlock.
-- A new fact and its entry are one statement: an entry stands exactly once, for the insert that was the first.

-- name: mark_document
update document set forwarded_at = m.at
from unnest($1::uuid[], $2::timestamptz[]) as m (key, at)
where document.document = m.key and document.forwarded_at is null

-- name: mark_refusal
update refusal set forwarded_at = m.at
from unnest($1::uuid[], $2::timestamptz[]) as m (key, at)
where refusal.refusal = m.key and refusal.forwarded_at is null

-- name: mark_verification
update verification set forwarded_at = m.at
from unnest($1::uuid[], $2::timestamptz[]) as m (key, at)
where verification.verification = m.key and verification.forwarded_at is null

-- name: mark_routing
update routing set forwarded_at = m.at
from unnest($1::uuid[], $2::timestamptz[]) as m (key, at)
where routing.document = m.key and routing.forwarded_at is null

-- name: mark_status
update status set forwarded_at = m.at
from unnest($1::uuid[], $2::timestamptz[]) as m (key, at)
where status.status = m.key and status.forwarded_at is null

-- name: mark_notice
update notice set forwarded_at = m.at
from unnest($1::uuid[], $2::timestamptz[]) as m (key, at)
where notice.notice = m.key and notice.forwarded_at is null

-- name: insert_submissions
insert into submission (user_name, message_id, sha256, size, received_at)
select user_name, message_id, sha256, size, received_at
from jsonb_to_recordset($1::jsonb)
    as r (user_name text, message_id text, sha256 text, size bigint, received_at timestamptz)
order by user_name, message_id
on conflict do nothing
returning user_name, message_id

-- name: recall_submissions
select s.user_name, s.message_id, s.sha256
from submission s
join unnest($1::text[], $2::text[]) as k (user_name, message_id) using (user_name, message_id)

-- name: insert_documents
with fact as (
    insert into document (document, sender, document_id, business, user_name, message_id, sha256, size, subject, code,
                          promulgated_on, type_name, due_on, priority, lane, addressees, submitted_at, received_at,
                          acts, test, flagged, signer_name, signer_position)
    select document, sender, document_id, business, user_name, message_id, sha256, size, subject, code,
           promulgated_on, type_name, due_on, priority, lane, addressees, submitted_at, received_at, acts,
           test, flagged, signer_name, signer_position
    from jsonb_to_recordset($1::jsonb) as r (
        document uuid, sender text, document_id text, business smallint, user_name text, message_id text, sha256 text,
        size bigint, subject text, code text, promulgated_on date, type_name text, due_on date, priority integer,
        lane text, addressees text[], submitted_at timestamptz, received_at timestamptz, acts jsonb,
        test boolean, flagged boolean, signer_name text, signer_position text)
    order by document
    on conflict do nothing
    returning *
)
insert into entry (kind, document, agency, digest, facts)
select 'DocumentReceived', document, sender, sha256,
       jsonb_build_object('document_id', document_id, 'business', business, 'user', user_name,
                          'message_id', message_id, 'size', size, 'submitted_at', submitted_at,
                          'received_at', received_at, 'test', test)
from fact

-- name: insert_attachments
insert into attachment (document, ordinal, name, content_type, size, sha256)
select document, ordinal, name, content_type, size, sha256
from jsonb_to_recordset($1::jsonb)
    as r (document uuid, ordinal smallint, name text, content_type text, size bigint, sha256 text)
order by document, ordinal
on conflict do nothing

-- name: recall_documents
select document, sender, document_id, business, user_name, message_id, sha256, size, lane, addressees,
       received_at, forwarded_at, acts, test, flagged
from document
where document = any ($1::uuid[])

-- name: recall_documents_of
select document, sender, document_id, business, d.user_name, d.message_id, sha256, size, lane, addressees,
       received_at, forwarded_at, acts, test, flagged
from document d
join unnest($1::text[], $2::text[]) as k (user_name, message_id)
    on d.user_name = k.user_name and d.message_id = k.message_id

-- name: insert_refusals
with fact as (
    insert into refusal (refusal, step, about, user_name, message_id, document_id, sha256, problems)
    select refusal, step, about, user_name, message_id, document_id, sha256, problems
    from jsonb_to_recordset($1::jsonb) as r (
        refusal uuid, step text, about text, user_name text, message_id text, document_id text, sha256 text,
        problems jsonb)
    order by refusal
    on conflict do nothing
    returning *
)
insert into entry (kind, agency, digest, facts)
select case about when 'document' then 'DocumentRefused' else 'StatusRefused' end, user_name, sha256,
       jsonb_build_object('step', step, 'message_id', message_id, 'document_id', document_id, 'problems', problems)
from fact

-- name: recall_refusals
select refusal, about, user_name, message_id, document_id, problems, recorded_at, forwarded_at
from refusal
where refusal = any ($1::uuid[])

-- name: insert_quarantined
insert into entry (kind, digest, facts)
select 'MessageQuarantined', digest, facts
from jsonb_to_recordset($1::jsonb) as r (digest text, facts jsonb)

-- name: insert_verifications
with fact as (
    insert into verification (verification, document, judgement, verdict, value, reason, vi, en, grounds, held_until,
                              judged_at, judge_again_at, forwarded_at)
    select verification, document, judgement, verdict, value, reason, vi, en, grounds, held_until, judged_at,
           judge_again_at, forwarded_at
    from jsonb_to_recordset($1::jsonb) as r (
        verification uuid, document uuid, judgement integer, verdict text, value text, reason text, vi text, en text,
        grounds jsonb, held_until timestamptz, judged_at timestamptz, judge_again_at timestamptz,
        forwarded_at timestamptz)
    order by document, judgement
    on conflict do nothing
    returning *
)
insert into entry (kind, document, digest, facts)
select 'DocumentVerified', document, encode(sha256(convert_to(grounds::text, 'UTF8')), 'hex'),
       jsonb_build_object('judgement', judgement, 'verdict', verdict, 'value', value, 'reason', reason,
                          'held_until', held_until, 'judged_at', judged_at)
from fact

-- name: settle_verifications
-- What has a later judgement is not judged again itself.
update verification v set judge_again_at = null, asked_at = null
where v.document = any ($1::uuid[]) and v.judge_again_at is not null
  and exists (select from verification later where later.document = v.document and later.judgement > v.judgement)

-- name: recall_verifications
select verification, document, judgement, verdict, value, reason, vi, en, grounds, held_until, judged_at,
       judge_again_at, forwarded_at
from verification
where document = any ($1::uuid[])
order by document, judgement

-- name: due_judgements
-- Locked until the transaction ends; what another worker has locked is left to it. Together with what was asked for since
-- $3 and is not judged yet there are no more than $2.
select v.verification, v.document, v.judgement, v.held_until, d.sha256, d.user_name, d.received_at, d.lane
from verification v
join document d using (document)
where v.judge_again_at <= $1 and (v.asked_at is null or v.asked_at <= $3)
order by v.judge_again_at
limit greatest(0, $2 - (select count(*) from verification where asked_at > $3))
for update of v skip locked

-- name: ask_judgements
update verification set judge_again_at = m.at, asked_at = $3
from unnest($1::uuid[], $2::timestamptz[]) as m (key, at)
where verification.verification = m.key

-- name: answer_judgements
-- Whoever asked may not have committed yet, for the broker hands on a message before it is confirmed: his lock is waited
-- for, which is why this does not look at `asked_at`. An answer that came too early would be lost, and the document taken
-- for asked.
update verification set asked_at = null
where verification in (select verification from verification
                       where document = any ($1::uuid[]) and judge_again_at is not null
                       order by verification for update)

-- name: postpone_judgements
update verification set judge_again_at = m.at
from unnest($1::uuid[], $2::timestamptz[]) as m (key, at)
where verification.verification = m.key

-- name: hasten_judgements
-- Returns how many were locked by somebody else. To wait for them while others wait for what this has locked would be a
-- deadlock.
with later as (
    select verification from verification where judge_again_at > $1
), hastened as (
    update verification set judge_again_at = $1
    where verification in (select verification from verification where judge_again_at > $1 for update skip locked)
    returning verification
)
select (select count(*) from later) - (select count(*) from hastened)

-- name: count_held
select count(*) from verification where judge_again_at is not null and held_until is not null

-- name: insert_routings
with fact as (
    insert into routing (document, outcome, forwarded_at)
    -- What is refused leaves as a refusal, which has a mark of its own.
    select document, outcome, case outcome when 'refused' then now() end
    from jsonb_to_recordset($1::jsonb) as r (document uuid, outcome text)
    order by document
    on conflict do nothing
    returning document
), deliveries as (
    insert into delivery (document, addressee, written, carrier, role, root)
    select document, addressee, written, carrier, role, root
    from jsonb_to_recordset($2::jsonb)
        as r (document uuid, addressee text, written text, carrier text, role text, root uuid)
    where document in (select document from fact)
    order by document, addressee
    returning *
), actions as (
    insert into action (document, addressee, earlier, kind, outcome, settled_at)
    select document, addressee, earlier, kind, outcome, case when outcome <> 'pending' then now() end
    from jsonb_to_recordset($3::jsonb)
        as r (document uuid, addressee text, earlier uuid, kind text, outcome text)
    where document in (select document from fact)
    order by document, addressee, earlier
    returning *
), parked as (
    insert into parked_delivery (document, carrier, urgent)
    select document, carrier, urgent
    from jsonb_to_recordset($4::jsonb) as r (document uuid, carrier text, urgent boolean, ordinal integer)
    where document in (select document from fact)
    order by ordinal
    returning *
)
insert into entry (kind, document, agency, facts)
select 'DeliveryRecorded', document, addressee,
       jsonb_build_object('written', written, 'carrier', carrier)
           || case when role <> 'document' then jsonb_build_object('role', role) else '{}' end
from deliveries
union all
-- In the story of what is acted on; `by` leads to the story of what acts.
select 'ActionRecorded', earlier, addressee, jsonb_build_object('by', document, 'kind', kind, 'outcome', outcome)
from actions
union all
select 'DeliveryParked', document, carrier, '{}'
from parked

-- name: recall_routings
select document, outcome, forwarded_at from routing where document = any ($1::uuid[])

-- name: recall_deliveries
select document, addressee, written, carrier, state, p.document is not null as parked
from delivery
left join parked_delivery p using (document, carrier)
where document = any ($1::uuid[])
order by document, addressee

-- name: documents_under_way
-- Which nobody has got yet, and whether somebody may get them still: not what was refused before it came to the router.
select d.sender, d.document_id, bool_or(not exists (
           select from refusal f where f.about = 'document' and f.user_name = d.user_name
           and f.message_id = d.message_id and f.sha256 = d.sha256)) as still_to_come
from document d
join unnest($1::text[], $2::text[]) as k (sender, document_id) using (sender, document_id)
where not exists (select from routing r where r.document = d.document and r.outcome = 'routed')
group by d.sender, d.document_id

-- name: chains_named
select distinct k.sender, k.document_id, coalesce(v.chain, d.document) as chain
from unnest($1::text[], $2::text[]) as k (sender, document_id)
join document d using (sender, document_id)
left join delivery v using (document)

-- name: earlier_documents
select d.document, d.sender, d.document_id, d.business,
       r.forwarded_at is not null and r.outcome = 'routed' as forwarded,
       coalesce(r.outcome = 'refused', false) or exists (
           select from refusal f where f.about = 'document' and f.user_name = d.user_name
           and f.message_id = d.message_id and f.sha256 = d.sha256) as refused, d.test
from unnest($1::text[], $2::text[]) as k (sender, document_id)
join document d using (sender, document_id)
left join routing r using (document)
where d.business <> 1

-- name: lock_chains
select d.document, d.addressee, d.carrier, d.state, d.take_back, doc.document_id, doc.sender, doc.user_name,
       doc.business, d.role, d.chain, d.request, d.version
from delivery d
join document doc using (document)
where d.chain = any ($1::uuid[])
order by d.document, d.addressee
for update of d

-- name: settle_actions
with settled as (
    update action a set outcome = r.outcome, settled_at = now(), status = r.status
    from jsonb_to_recordset($1::jsonb) as r (document uuid, addressee text, outcome text, status uuid)
    where a.document = r.document and a.addressee = r.addressee and a.outcome = 'pending'
    returning a.*
)
insert into entry (kind, document, agency, facts)
select 'ActionSettled', earlier, addressee,
       jsonb_build_object('by', document, 'kind', kind, 'outcome', outcome, 'status', status)
from settled

-- name: last_reports
-- When the receiver reported the last status that was applied to each delivery; a statement of its own, after the lock.
select document, addressee, max(reported_at) as reported_at
from status
where document = any ($1::uuid[]) and outcome = 'applied' and code <> '13'
group by document, addressee

-- name: recall_statuses
select status, document, addressee, s.reporter, d.sender, outcome, s.forwarded_at, s.verdict, s.vi, s.en
from status s
join document d using (document)
where status = any ($1::uuid[])
order by status, document, addressee

-- name: insert_statuses
with fact as (
    insert into status (status, document, addressee, reporter, user_name, message_id, sha256, code, description,
                        outcome, state_before, state_after, reported_at, received_at, verdict, signer, reason, vi, en,
                        evidence, skipped, forwarded_at)
    -- Only what was applied is told to the sender.
    select status, document, addressee, reporter, user_name, message_id, sha256, code, description,
           outcome, state_before, state_after, reported_at, received_at, verdict, signer, reason, vi, en, evidence,
           skipped, case when outcome <> 'applied' then now() end
    from jsonb_to_recordset($1::jsonb) as r (
        status uuid, document uuid, addressee text, reporter text, user_name text, message_id text, sha256 text,
        code text, description text, outcome text, state_before text, state_after text, reported_at timestamptz,
        received_at timestamptz, verdict text, signer text, reason text, vi text, en text, evidence jsonb,
        skipped text[])
    order by status, document, addressee
    on conflict do nothing
    returning *
)
insert into entry (kind, document, agency, digest, facts)
select 'StatusReported', document, reporter, sha256,
       jsonb_build_object('addressee', addressee, 'code', code, 'outcome', outcome, 'state_before', state_before,
                          'state_after', state_after, 'message_id', message_id, 'description', description,
                          'reported_at', reported_at, 'verdict', verdict, 'signer', signer, 'reason', reason,
                          'evidence', evidence, 'skipped', skipped)
from fact

-- name: update_deliveries
update delivery d
set state = r.state, take_back = r.take_back, request = r.request, version = r.version, changed_at = now()
from jsonb_to_recordset($1::jsonb)
    as r (document uuid, addressee text, state text, take_back boolean, request uuid, version uuid)
where d.document = r.document and d.addressee = r.addressee

-- name: insert_notices
with fact as (
    insert into notice (notice, agency, kind, document, caused_at)
    select notice, agency, kind, document, caused_at
    from jsonb_to_recordset($1::jsonb)
        as r (notice uuid, agency text, kind text, document uuid, caused_at timestamptz)
    order by notice
    on conflict do nothing
    returning *
)
insert into entry (kind, document, agency, facts)
select 'NoticeGiven', f.document, f.agency,
       jsonb_build_object('kind', f.kind, 'notice', f.notice) || coalesce(r.words, '{}')
from fact f
-- The same notice may stand in a batch twice.
cross join lateral (
    select words from jsonb_to_recordset($1::jsonb) as r (notice uuid, words jsonb) where r.notice = f.notice limit 1
) as r

-- name: recall_notices
select notice, forwarded_at from notice where notice = any ($1::uuid[])

-- name: stand_by_recalled
-- A commit waits for the standby only when its transaction wrote something. What is recalled may have been recorded by
-- one whose wait was broken off (the primary was killed, say): then it is here, and perhaps nowhere else. So that it can
-- be relied on all the same, a transaction that only recalls writes one record of no meaning, and waits.
select pg_logical_emit_message(true, 'lienthong', '') where pg_current_xact_id_if_assigned() is null
