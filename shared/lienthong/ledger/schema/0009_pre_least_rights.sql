-- Each worker reads only what its step rests on: before, every role read every table.

revoke select on all tables in schema public from
    lienthong_ingest, lienthong_signature_verify, lienthong_router, lienthong_status_tracker, lienthong_notifier;

-- Who the agencies are; and what a worker has in hand alone.
grant select on directory_version, agency, agency_code, handled_alone to
    lienthong_ingest, lienthong_signature_verify, lienthong_router, lienthong_status_tracker, lienthong_notifier;

grant select on submission, document, refusal to lienthong_ingest;
grant select on document, verification, routing, delivery, refusal to lienthong_signature_verify;
grant select on document, routing, delivery, refusal to lienthong_router;
grant select on submission, document, routing, delivery, status, refusal to lienthong_status_tracker;
grant select on notice to lienthong_notifier;

-- What is noted about a message, and what is decided about a dead letter; not which one it is.
revoke update on handled_alone from
    lienthong_ingest, lienthong_signature_verify, lienthong_router, lienthong_status_tracker, lienthong_notifier;
grant update (times, last_at) on handled_alone to
    lienthong_ingest, lienthong_signature_verify, lienthong_router, lienthong_status_tracker, lienthong_notifier;
revoke update on dead_letter from lienthong_operator;
grant update (state, times, reason, attempts, changed_at, changed_by, refusal) on dead_letter to lienthong_operator;

-- An operator who logs in as such reads reports.
do $$
begin
    if not pg_has_role('lienthong_operator', 'lienthong_reader', 'member') then
        grant lienthong_reader to lienthong_operator;
    end if;
end $$;

-- Before PostgreSQL 15 everybody could make tables here.
revoke create on schema public from public;
revoke execute on function make_entry_partitions(integer) from public;
