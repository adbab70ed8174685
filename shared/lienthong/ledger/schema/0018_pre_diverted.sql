-- Whose documents do not come by ingest's lanes now. A row is there before the broker's binding, and as long as it may
-- be, so that a worker that dies in between leaves nothing behind.
create table diverted (
    agency text primary key,
    until  timestamptz not null
);
comment on table diverted is 'agencies that send more than they may: what they publish goes to a queue of its own';

grant select on diverted to lienthong_reader, lienthong_operator;
grant select, insert, update (until), delete on diverted to lienthong_ingest;
