#!/usr/bin/env bash
# Fetches the drivers that the warehouse tests load, once, into the user's cache.
#
#   eval "$(tests/services/get-adbc-drivers.sh)"     sets SPENDLAKE_TEST_DUCKDB and SPENDLAKE_TEST_ADBC_POSTGRESQL
#
# DuckDB's library is taken from its npm package, PostgreSQL's driver from its Python wheel: both through the
# registries' own clients, of which npm and pip have to be there.
set -euo pipefail

cache="${XDG_CACHE_HOME:-$HOME/.cache}/spendlake/adbc"
duckdb_version=1.5.6-r.1
postgresql_version=1.13.0
duckdb="$cache/duckdb-$duckdb_version/libduckdb.so"
postgresql="$cache/postgresql-$postgresql_version/libadbc_driver_postgresql.so"
fail() { echo "get-adbc-drivers: $*" >&2; exit 1; }
[ "$(uname -sm)" = "Linux x86_64" ] || fail "only Linux on x86_64 is known here; set the two variables yourself"

mkdir -p "$cache"
exec 9>"$cache/lock"
flock -w 300 9 || fail "another fetch is under way in $cache"
work="$(mktemp -d)"
trap 'rm -rf -- "$work"' EXIT

if [ ! -s "$duckdb" ]; then
  command -v npm >/dev/null || fail "npm is missing: install the package npm"
  (cd "$work" && npm pack --silent "@duckdb/node-bindings-linux-x64@$duckdb_version" >&2 && tar -xzf ./*.tgz)
  found="$(find "$work" -name libduckdb.so -print -quit)"
  [ -n "$found" ] || fail "the package holds no libduckdb.so"
  mkdir -p "$(dirname "$duckdb")"
  mv "$found" "$duckdb.part" && mv "$duckdb.part" "$duckdb"
fi
if [ ! -s "$postgresql" ]; then
  pip="$(command -v pip || command -v pip3)" || fail "pip is missing: install the package python3-pip"
  "$pip" download --quiet --disable-pip-version-check --no-deps --only-binary :all: --dest "$work" \
    "adbc-driver-postgresql==$postgresql_version" >&2
  (cd "$work" && python3 -m zipfile -e ./adbc_driver_postgresql-*.whl wheel)
  found="$(find "$work/wheel" -name 'libadbc_driver_postgresql.so*' -print -quit)"
  [ -n "$found" ] || fail "the wheel holds no driver"
  mkdir -p "$(dirname "$postgresql")"
  mv "$found" "$postgresql.part" && mv "$postgresql.part" "$postgresql"
fi
echo "export SPENDLAKE_TEST_DUCKDB=$duckdb"
echo "export SPENDLAKE_TEST_ADBC_POSTGRESQL=$postgresql"
