-- Dead letters, kept where operators can work on them; and which messages were in hand, alone, when a worker began.

create table dead_letter (
    dead_letter  uuid primary key,
    step         text not null,
    queue        text,
    routing_key  text not null,
    user_name    text,
    message_id   text,
    content_type text,
    type         text,
    headers      jsonb not null,
    sha256       text not null,
    size         bigint not null,
    document     uuid,
    reason       text not null,
    attempts     integer not null,
    state        text not null default 'waiting' check (state in
                 ('waiting', 'replaying', 'replayed', 'discarding', 'discarded')),
    times        integer not null default 1,
    found_at     timestamptz not null default now(),
    changed_at   timestamptz not null default now(),
    changed_by   text,
    refusal      uuid references refusal
);
comment on column dead_letter.step is 'whose dead letter: a worker''s step, agency, or quarantine';
comment on column dead_letter.queue is 'where it goes back to; null when nobody would take it there';
comment on column dead_letter.user_name is 'who published it first, as the broker validated';
comment on column dead_letter.sha256 is 'of the body, which the payload store keeps';
comment on column dead_letter.times is 'how often it became a dead letter';
comment on column dead_letter.state is 'replaying and discarding: ordered, and not yet known to have left';
create index dead_letter_open on dead_letter (state) where state in ('waiting', 'replaying', 'discarding');

create index entry_dead_letter on entry ((facts ->> 'dead_letter')) where facts ? 'dead_letter';

create table handled_alone (
    message   uuid primary key,
    step      text not null,
    times     integer not null,
    last_at   timestamptz not null default now()
);
comment on table handled_alone is
    'redelivered messages that a worker takes alone: how often one was noted before it was touched, and not settled since';

do $$
begin
    create role lienthong_operator nologin;
exception when duplicate_object or unique_violation then
    null; -- roles belong to the cluster: another database of it made it
end $$;

grant usage on schema public to lienthong_operator;
grant select on all tables in schema public to lienthong_operator, lienthong_reader;
grant insert on entry, dead_letter, refusal, routing to lienthong_operator;
grant update on dead_letter to lienthong_operator;
grant update (forwarded_at) on refusal to lienthong_operator;
grant select, insert, update on handled_alone to
    lienthong_ingest, lienthong_signature_verify, lienthong_router, lienthong_status_tracker, lienthong_notifier;
