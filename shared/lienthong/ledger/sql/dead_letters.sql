-- Dead letters and what operators do with them, and the messages that are handled alone.

-- name: insert_dead_letters
-- One that was settled and is found again died again, or was resubmitted: losing it is not an option, so it waits anew.
with fact as (
    insert into dead_letter as d (dead_letter, step, queue, routing_key, user_name, message_id, content_type, type,
                                  headers, sha256, size, document, reason, attempts)
    select dead_letter, step, queue, routing_key, user_name, message_id, content_type, type, headers, sha256, size,
           document, reason, attempts
    from jsonb_to_recordset($1::jsonb) as r (
        dead_letter uuid, step text, queue text, routing_key text, user_name text, message_id text, content_type text,
        type text, headers jsonb, sha256 text, size bigint, document uuid, reason text, attempts integer)
    order by dead_letter
    on conflict (dead_letter) do update
        set state = 'waiting', times = d.times + 1, reason = excluded.reason, attempts = excluded.attempts,
            changed_at = now(), changed_by = null
        where d.state in ('replaying', 'replayed', 'discarded')
    returning *
)
insert into entry (kind, document, agency, digest, facts)
select 'DeadLetterFound', document, user_name, sha256,
       jsonb_build_object('dead_letter', dead_letter, 'step', step, 'message_id', message_id, 'reason', reason,
                          'attempts', attempts, 'times', times)
from fact

-- name: order_replay
with fact as (
    update dead_letter set state = 'replaying', changed_at = now(), changed_by = $2
    where dead_letter = any ($1::uuid[]) and state = 'waiting' and queue is not null
    returning *
), history as (
    insert into entry (kind, document, agency, digest, facts)
    select 'DeadLetterReplayOrdered', document, user_name, sha256,
           jsonb_build_object('dead_letter', dead_letter, 'by', changed_by)
    from fact
)
select dead_letter from fact

-- name: lock_waiting_dead_letter
select * from dead_letter where dead_letter = $1 and state = 'waiting' for update

-- name: order_discard
with fact as (
    update dead_letter set state = 'discarding', changed_at = now(), changed_by = $2, refusal = $4
    where dead_letter = $1
    returning *
)
insert into entry (kind, document, agency, digest, facts)
select 'DeadLetterDiscardOrdered', document, user_name, sha256,
       jsonb_build_object('dead_letter', dead_letter, 'by', changed_by, 'reason', $3::text, 'refusal', refusal)
from fact

-- name: ordered_dead_letters
select * from dead_letter where state in ('replaying', 'discarding') order by changed_at, dead_letter

-- name: finish_dead_letters
update dead_letter set state = case state when 'replaying' then 'replayed' else 'discarded' end
where dead_letter = any ($1::uuid[]) and state in ('replaying', 'discarding')

-- name: dead_letters
select * from dead_letter
where ($1::text is null or step = $1) and ($2::boolean or state in ('waiting', 'replaying', 'discarding'))
order by found_at, dead_letter

-- name: dead_letter_history
select recorded_at, kind, facts from entry
where facts ->> 'dead_letter' = $1 and facts ? 'dead_letter'
order by recorded_at, entry

-- name: refuse_routing
insert into routing (document, outcome, forwarded_at) values ($1, 'refused', now()) on conflict do nothing

-- name: note_handled_alone
insert into handled_alone as h (message, step, times) values ($1, $2, 1)
on conflict (message) do update set times = h.times + 1, last_at = now()
returning times

-- name: forget_handled_alone
update handled_alone set times = 0 where message = $1
