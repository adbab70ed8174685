-- Who may come in, and the history of that.

-- name: select_participants
select code, name, kind, stage, parent, supervised, login, suspended_from from agency order by code

-- name: select_participant
select code, name, kind, stage, parent, supervised, login, suspended_from from agency where code = $1

-- name: set_access
update agency set stage = $2, login = $3, suspended_from = $4 where code = $1

-- name: roles_that_log_in
select rolname from pg_roles where rolname = any ($1::text[]) and rolcanlogin

-- name: roles_there_are
select quote_ident(rolname) as rolname from pg_roles where rolname = any ($1::text[])

-- name: schema_and_standing
select array(select name from schema_migration) as migrations,
       current_setting('transaction_read_only') = 'on' as read_only

-- name: at_work_in
select distinct datname from pg_stat_activity
where usename = any ($1::text[]) and datname <> $2
order by datname

-- name: insert_access_entry
insert into entry (kind, agency, facts) values ($1, $2, $3::jsonb)
