-- What people and systems outside the exchange are told, by mail or by webhook: who asked for what, which facts are told
-- to whom, and in which letter. The fact, and that it has to be told, are recorded in one transaction.

create table subscription (
    subscription bigint generated always as identity primary key,
    agency      text references agency,
    channel     text not null check (channel in ('mail', 'webhook')),
    target      text not null,
    topics      text[] not null check (cardinality(topics) > 0),
    language    text not null check (language in ('vi', 'en', 'both')),
    digest_hour smallint check (digest_hour between 0 and 23),
    set_at      timestamptz not null default now()
);
create unique index subscription_target on subscription (coalesce(agency, ''), channel, target);
comment on column subscription.agency is 'whose; null: the operators of the exchange';
comment on column subscription.target is 'address of mail, or URL';
comment on column subscription.digest_hour is 'Vietnamese hour at which a day''s notices go out as one; null: each at once';

create table letter (
    letter   uuid primary key,
    agency   text references agency,
    channel  text not null check (channel in ('mail', 'webhook')),
    target   text not null,
    language text not null check (language in ('vi', 'en', 'both')),
    state    text not null default 'waiting' check (state in ('waiting', 'sent', 'given-up')),
    attempts integer not null default 0,
    made_at  timestamptz not null default now(),
    next_at  timestamptz not null,
    done_at  timestamptz,
    trouble  text,
    check ((state = 'waiting') = (done_at is null))
);
comment on table letter is 'one mail, or one call of a webhook; its id is that of the mail, or of the call';
comment on column letter.next_at is 'when it is tried next; who tries it moves this on first, so that nobody else does';
create index letter_waiting on letter (channel, target, next_at) where state = 'waiting';

create table announcement (
    cause     text not null,
    channel   text not null check (channel in ('mail', 'webhook')),
    target    text not null,
    agency    text references agency,
    language  text not null check (language in ('vi', 'en', 'both')),
    topic     text not null,
    kind      text not null,
    subject   text,
    document  uuid,
    facts     jsonb not null,
    caused_at timestamptz not null,
    due_at    timestamptz not null,
    letter    uuid references letter,
    primary key (cause, channel, target)
);
comment on table announcement is 'one fact that is told to one target, once';
comment on column announcement.cause is 'the entry it rests on';
comment on column announcement.agency is 'who is told; null: the operators';
comment on column announcement.subject is 'which agency, or user, the fact is about';
comment on column announcement.letter is 'in which letter; null while it waits for its digest';
create index announcement_letter on announcement (letter);
create index announcement_digest on announcement (due_at) where letter is null;

create table alarm (
    alarm      text not null check (alarm in ('dead-letters', 'certificate', 'trust')),
    subject    text not null,
    agency     text references agency,
    vi         text not null,
    en         text not null,
    raised_at  timestamptz not null,
    cleared_at timestamptz,
    primary key (alarm, subject, raised_at)
);
comment on table alarm is 'what operators have to see to and no worker''s message tells: found by looking, open until it is gone';
create unique index alarm_open on alarm (alarm, subject) where cleared_at is null;

create function announce() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
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
    ), fresh as (
        insert into announcement (cause, channel, target, agency, language, topic, kind, subject, document, facts,
                                  caused_at, due_at, letter)
        select t.cause, s.channel, s.target, s.agency, s.language, t.topic, t.kind, t.subject, t.document,
               t.facts, t.recorded_at,
               case when s.digest_hour is null then t.recorded_at else next_digest(t.recorded_at, s.digest_hour) end,
               case when s.digest_hour is null then gen_random_uuid() end
        from told t
        join subscription s on coalesce(s.agency, '') = t.reader and t.topic = any (s.topics)
        order by 1, 2, 3
        on conflict do nothing
        returning *
    )
    insert into letter (letter, agency, channel, target, language, next_at)
    select letter, agency, channel, target, language, due_at from fresh where letter is not null;
    return null;
end $$;

create function next_digest(after timestamptz, digest_hour smallint) returns timestamptz language sql immutable as $$
    select (case when today <= l then today + interval '1 day' else today end) at time zone 'Asia/Ho_Chi_Minh'
    from (select after at time zone 'Asia/Ho_Chi_Minh' as l) as local,
         lateral (select date_trunc('day', l) + make_interval(hours => digest_hour) as today) as hour
$$;

create trigger announced after insert on entry
    referencing new table as fresh_entry
    for each statement execute function announce();
revoke execute on function announce() from public;

grant select on subscription, letter, announcement, alarm to lienthong_reader, lienthong_operator;
grant select on letter, announcement, alarm to lienthong_notifier;
grant select (document, document_id, code, sender) on document to lienthong_notifier;
grant select (agency, valid_to) on agency_certificate to lienthong_notifier;
grant insert, update (state, attempts, next_at, done_at, trouble) on letter to lienthong_notifier;
grant update (letter) on announcement to lienthong_notifier;
grant insert, update (cleared_at) on alarm to lienthong_notifier;
