-- How an agency logs in on the broker, and what its suspension interrupted.

alter table agency
    add column login text check (login in ('certificate', 'password')),
    add column suspended_from text check (suspended_from in ('registered', 'in-progress', 'trial', 'official'));
comment on column agency.login is 'null: it was never let in by `lienthong agency add`';
comment on column agency.suspended_from is 'its stage before it was suspended, which resuming gives back';
