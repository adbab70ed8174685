# Run once, by the image's entrypoint, in the new and empty ledger: let one standby follow, and wait for it.
# From its next start on, every commit is confirmed only when the standby has it on disk too.
echo "host replication replicator all scram-sha-256" >>"$PGDATA/pg_hba.conf"
psql --quiet --set=ON_ERROR_STOP=1 --set=password="$(cat /run/secrets/replication-password)" --username=postgres <<'SQL'
create role replicator replication login password :'password';
select pg_create_physical_replication_slot('standby');
alter system set synchronous_standby_names = 'standby';
SQL
