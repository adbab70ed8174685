# Start a standby that follows the primary, copying it first when there is nothing here yet.
set -eu
if [ ! -e "$PGDATA" ]; then
  until pg_isready --quiet --host=ledger1; do sleep 1; done
  # Beside its place, so that a copy that was cut short is not taken for a whole one.
  rm -rf "$PGDATA.new"
  PGPASSWORD=$(cat /run/secrets/replication-password) pg_basebackup --host=ledger1 --username=replicator \
    --slot=standby --checkpoint=fast --write-recovery-conf --pgdata="$PGDATA.new"
  # Promoted, it must not wait for itself.
  sed -i '/^synchronous_standby_names/d' "$PGDATA.new/postgresql.auto.conf"
  mv "$PGDATA.new" "$PGDATA"
fi
# The name it gives to the primary, which waits for it by that name.
exec postgres -c config_file=/etc/lienthong-postgresql.conf -c cluster_name=standby -c 'listen_addresses=*'
