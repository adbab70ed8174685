-- What concerns an agency that was merged is told to its successor, as its mail is delivered there: its own subscriptions
-- are silent from that day on.

create function heir_of(merged text, day date) returns text language sql stable as $$
    with recursive chain as (
        select code, successor, succeeded_on, array[code] as seen from agency where code = merged
        union all
        select a.code, a.successor, a.succeeded_on, c.seen || a.code
        from chain c join agency a on a.code = c.successor
        where c.succeeded_on <= day and a.code <> all (c.seen)
    )
    select code from chain order by cardinality(seen) desc limit 1
$$;
comment on function heir_of is 'who stands for an agency on a day: itself, or whoever it was merged into; null when there is none';

create or replace function announce() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    -- What is told is decided here, by the fact's own transaction. It must never be what makes a fact fail.
    if not exists (select from subscription) then
        return null;
    end if;
    with topics (kind, which, reader, topic) as (values
        ('DocumentRefused',     null,           'agency',    'refusals'),
        ('StatusRefused',       null,           'agency',    'refusals'),
        ('NoticeGiven',         'waiting',      'agency',    'waiting'),
        ('NoticeGiven',         'deadline',     'agency',    'deadlines'),
        ('AgencyParked',        null,           'agency',    'waiting'),
        ('DeliveryRecorded',    null,           'agency',    'deliveries'),
        ('StatusReported',      'applied',      'sender',    'statuses'),
        ('AlarmRaised',         'certificate',  'agency',    'certificates'),
        ('AgencyParked',        null,           'operators', 'parked'),
        ('AgencyThrottled',     null,           'operators', 'flood'),
        ('MessageQuarantined',  null,           'operators', 'quarantined'),
        ('AlarmRaised',         'dead-letters', 'operators', 'dead-letters'),
        ('AlarmRaised',         'certificate',  'operators', 'certificates'),
        ('AlarmRaised',         'trust',        'operators', 'trust'),
        ('LetterGivenUp',       'agency',       'operators', 'undeliverable')
    ), told as (
        select case e.kind when 'MessageQuarantined' then concat_ws(' ', 'quarantined', e.digest, e.facts ->> 'reason')
                           else 'entry ' || e.entry end as cause,
               t.topic, e.kind, e.agency as subject, e.document, e.facts, e.recorded_at,
               case t.reader when 'agency' then e.agency
                             when 'sender' then (select d.sender from document d where d.document = e.document)
                             else '' end as reader
        from fresh_entry e
        join topics t on t.kind = e.kind and (t.which is null or t.which in (
            e.facts ->> 'kind', e.facts ->> 'outcome', e.facts ->> 'alarm', e.facts ->> 'reader'))
    ), meant as materialized (
        select told.*, coalesce(heir_of(reader, (now() at time zone 'Asia/Ho_Chi_Minh')::date), reader) as whom from told
    ), fresh as (
        insert into announcement (cause, channel, target, agency, language, topic, kind, subject, document, facts,
                                  caused_at, due_at, letter)
        select t.cause, s.channel, s.target, s.agency, s.language, t.topic, t.kind, t.subject, t.document,
               t.facts, t.recorded_at,
               case when s.digest_hour is null then t.recorded_at else next_digest(t.recorded_at, s.digest_hour) end,
               case when s.digest_hour is null then gen_random_uuid() end
        from meant t
        join subscription s on coalesce(s.agency, '') = t.whom and t.topic = any (s.topics)
        order by 1, 2, 3
        on conflict do nothing
        returning *
    )
    insert into letter (letter, agency, channel, target, language, next_at)
    select letter, agency, channel, target, language, due_at from fresh where letter is not null;
    return null;
end $$;

-- The history of an agency says as well who is told of it and what it may send.
drop index entry_decision;
create index entry_decision on entry (agency, recorded_at) where kind in (
    'AgencyAdmitted', 'AgencyMerged', 'AgencyResumed', 'AgencyStaged', 'AgencySuspended', 'CertificateRecorded',
    'ConformanceRecorded', 'ContactRecorded', 'CredentialRotated', 'QuotaChanged', 'SubscriptionEnded', 'SubscriptionSet');

-- Letters are forgotten when they are old: that they were sent stays in entry.
create index letter_done on letter (done_at) where done_at is not null;
grant delete on letter, announcement to lienthong_notifier;
