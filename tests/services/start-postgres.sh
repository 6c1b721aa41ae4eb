#!/usr/bin/env bash
# A PostgreSQL server of our own for tests and benchmarks: on loopback, with its data in one folder.
#
#   eval "$(tests/services/start-postgres.sh)"      starts it, or finds it running; sets SPENDLAKE_TEST_POSTGRES
#   tests/services/start-postgres.sh --stop         stops it and removes its data
#
# Settle where and how by SPENDLAKE_POSTGRES_DIR (default: the user's cache), SPENDLAKE_POSTGRES_PORT (default: the
# first free one from 55440 on), and SPENDLAKE_POSTGRES_DURABLE=1 for a server that syncs as in production.
# Standard output has nothing but the assignment.
set -euo pipefail

dir="${SPENDLAKE_POSTGRES_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/spendlake/postgres}"
if [ "$(id -u)" = 0 ] && [ -z "${SPENDLAKE_POSTGRES_DIR:-}" ]; then
  dir=/var/tmp/spendlake-postgres # the server's own user has to reach it
fi
data="$dir/data"
password=spendlake-test
say() { echo "start-postgres: $*" >&2; }
fail() { say "$*"; exit 1; }

server_folder() {
  local initdb
  initdb="$(printf '%s\n' /usr/lib/postgresql/*/bin/initdb | sort -V | tail -1)"
  [ -x "$initdb" ] || initdb="$(command -v initdb || true)"
  [ -n "$initdb" ] && dirname "$(readlink -f "$initdb")"
}

if ! bin="$(server_folder)"; then
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || fail "no PostgreSQL server here: install the package postgresql"
  say "installing postgresql"
  apt-get update -qq >&2
  # The distribution's own cluster is not wanted.
  mkdir -p /etc/postgresql-common
  [ -e /etc/postgresql-common/createcluster.conf ] || echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql >&2
  bin="$(server_folder)" || fail "the installed server is not found"
fi

# The server refuses to run as root.
as_owner() { "$@"; }
if [ "$(id -u)" = 0 ]; then
  owner=postgres
  getent passwd "$owner" >/dev/null || owner=nobody
  as_owner() { setpriv --reuid="$owner" --regid="$(id -g "$owner")" --clear-groups env HOME="$dir" "$@"; }
fi
is_running() { [ -s "$data/postmaster.pid" ] && as_owner "$bin/pg_ctl" -D "$data" status >/dev/null 2>&1; }

if [ "${1:-}" = --stop ]; then
  if is_running; then as_owner "$bin/pg_ctl" -D "$data" -m immediate -w stop >&2; fi
  rm -rf -- "$dir"
  exit 0
fi
[ $# = 0 ] || fail "unknown argument $1"

mkdir -p "$dir"
if [ "$(id -u)" = 0 ]; then chown "$owner" "$dir"; fi
exec 9>"$dir/lock"
flock -w 120 9 || fail "another start is under way in $dir"

if ! is_running; then
  if [ ! -s "$data/PG_VERSION" ]; then
    say "making a cluster in $data"
    rm -rf -- "$data"
    secret="$(mktemp "$dir/secret.XXXXXX")"
    echo "$password" >"$secret"
    if [ "$(id -u)" = 0 ]; then chown "$owner" "$secret"; fi
    as_owner "$bin/initdb" -D "$data" -U spendlake --pwfile="$secret" -A scram-sha-256 -E UTF8 --locale=C --no-sync >"$dir/initdb.log" 2>&1 ||
      { cat "$dir/initdb.log" >&2; rm -f "$secret"; fail "initdb failed"; }
    rm -f "$secret"
    # TLS with a certificate that nobody vouches for: what sslmode=require meets in many houses.
    as_owner openssl req -new -x509 -days 3650 -nodes -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
      -out "$data/server.crt" -keyout "$data/server.key" 2>/dev/null && as_owner chmod 600 "$data/server.key" || fail "openssl is missing"
  fi
  port="${SPENDLAKE_POSTGRES_PORT:-}"
  if [ -z "$port" ]; then
    for port in $(seq 55440 55540); do
      (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
  fi
  sync=off
  [ "${SPENDLAKE_POSTGRES_DURABLE:-0}" = 1 ] && sync=on
  as_owner tee "$data/postgresql.auto.conf" >/dev/null <<CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
port = $port
ssl = on
timezone = 'UTC'
max_connections = 100
shared_buffers = 256MB
max_wal_size = 4GB
fsync = $sync
synchronous_commit = $sync
full_page_writes = $sync
CONF
  as_owner "$bin/pg_ctl" -D "$data" -l "$dir/server.log" -w -t 60 start >/dev/null 9>&- || { tail -20 "$dir/server.log" >&2; fail "the server did not start"; }
  PGPASSWORD="$password" "$bin/psql" -h 127.0.0.1 -p "$port" -U spendlake -d postgres -qAtX \
    -c "SELECT 1 FROM pg_database WHERE datname = 'spendlake'" | grep -q 1 ||
    PGPASSWORD="$password" "$bin/createdb" -h 127.0.0.1 -p "$port" -U spendlake spendlake
  say "listening on 127.0.0.1:$port"
fi
port="$(sed -n 4p "$data/postmaster.pid")"
echo "export SPENDLAKE_TEST_POSTGRES=postgresql://spendlake:$password@127.0.0.1:$port/spendlake"
