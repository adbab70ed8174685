-- Everything about one document, for whoever asks what became of it. $1: the document.

-- name: story_submission
select d.user_name, d.message_id, d.sha256, d.size, d.lane, d.business, d.submitted_at, d.received_at, d.forwarded_at,
       d.acts, d.flagged
from document d where d.document = $1

-- name: story_attachments
select ordinal, name, content_type, size, sha256 from attachment where document = $1 order by ordinal

-- name: story_judgements
select v.judgement, v.judged_at, v.verdict, v.value, v.reason, v.vi, v.en, v.held_until,
       v.grounds -> 'findings' as findings, v.grounds -> 'files' as files, v.grounds -> 'evidence' as evidence,
       encode(sha256(convert_to(v.grounds::text, 'UTF8')), 'hex') as digest
from verification v where v.document = $1 order by v.judgement

-- name: story_deliveries
select q.addressee as agency, a.name, v.written, q.carrier, v.role, q.state, v.recorded_at, q.queued_at, v.changed_at
from queued_delivery q
join delivery v using (document, addressee)
join agency a on a.code = q.addressee
where q.document = $1 order by q.addressee

-- name: story_statuses
select s.addressee as agency, a.name, s.reporter, s.code, c.vi, c.en, c.office, s.outcome, s.description, s.state_before,
       s.state_after, s.reported_at, s.recorded_at, s.forwarded_at, s.message_id, s.sha256, s.verdict, s.signer,
       s.skipped
from status s
join status_code c using (code)
join agency a on a.code = s.addressee
where s.document = $1 order by s.recorded_at, s.code, s.addressee

-- name: story_actions
-- What it does to earlier documents, and what later ones do to it.
select case when document = $1 then 'does' else 'suffers' end as side, document, earlier, addressee as agency, kind,
       outcome, recorded_at, settled_at
from action where document = $1 or earlier = $1
order by recorded_at, addressee

-- name: story_refusals
-- By its message: the exchange refuses a document only under the message that brought it.
select f.about, f.step, f.user_name, f.message_id, f.problems, f.sha256, f.recorded_at, f.forwarded_at
from refusal f join document d on d.document = $1
where f.about = 'document' and f.user_name = d.user_name and f.message_id = d.message_id
order by f.recorded_at

-- name: story_notices
select notice, agency, kind, caused_at, recorded_at, forwarded_at from notice where document = $1 order by recorded_at

-- name: story_deadlines
select clock, level, agency, due_at, noted_at, told_at, dropped from deadline where document = $1
order by noted_at, agency, clock

-- name: story_dead_letters
select dead_letter, step, reason, state, times, found_at, changed_at, changed_by
from dead_letter where document = $1 order by found_at

-- name: story_entries
select entry, recorded_at, kind, agency, digest, facts from entry where document = $1 order by recorded_at, entry
