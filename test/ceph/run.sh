#!/usr/bin/env bash
# The Ceph leg: installs Ceph where it is missing (Debian packages), starts one node, runs against it the object-store
# contract, a whole round, and the suites whose promises must hold with every store, and stops it whatever happens. Exits 0
# with a line that says so where Ceph cannot be had here; a failing test or a Ceph that does not start is a failure.
#
#   test/ceph/run.sh                  every suite below
#   test/ceph/run.sh <file>...        these test files
set -euo pipefail
cd "$(dirname "$0")/../.."

# `command -v` with several names succeeds when it finds one of them.
have() {
  local tool
  for tool in curl radosgw radosgw-admin ceph ceph-mon ceph-osd monmaptool; do
    command -v "$tool" >/dev/null || return 1
  done
}
skip() {
  echo "Ceph leg: SKIPPED, $1"
  exit 0
}

if ! have; then
  command -v apt-get >/dev/null || skip "there is no apt-get to install Ceph with"
  [ "$(id -u)" = 0 ] || skip "installing Ceph needs root (apt-get install radosgw ceph-mon ceph-osd ceph-common)"
  echo "Ceph leg: installing the packages"
  export DEBIAN_FRONTEND=noninteractive
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends curl radosgw ceph-mon ceph-osd ceph-common; } \
    >/dev/null 2>&1 || skip "apt-get could not install the packages"
fi

export CEPH_DIR=${CEPH_DIR:-$(mktemp -d "${TMPDIR:-/tmp}/eider-ceph-XXXXXX")}
# A port that is free, and the one 1000 above it, unless one is asked for.
free_port() {
  local port
  for port in $(seq 7480 7580); do
    if ! (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null && ! (: <"/dev/tcp/127.0.0.1/$((port + 1000))") 2>/dev/null; then
      echo "$port"
      return
    fi
  done
}
export CEPH_PORT=${CEPH_PORT:-$(free_port)}
trap 'test/ceph/stop.sh' EXIT

settings=$(test/ceph/start.sh)
eval "$settings"
echo "Ceph leg: $(radosgw --version) at $S3_TEST_ENDPOINT"

specs=("$@")
[ $# -gt 0 ] || specs=(
  test/integration/object-store/ceph.spec.ts
  test/integration/end-to-end/ceph.spec.ts
  # Crashes, and writers that are replaced.
  test/process/{shipping-crash,crash,stopped-writer}.spec.ts
  test/integration/replication/{two-writers,late-backup}.spec.ts
  test/integration/restore/two-writers.spec.ts
  # Every point and every backup is what it was.
  test/integration/replication/{exact-points,concurrent-writers,history-edges,log}.spec.ts
  test/integration/repository/{any-history,damage,verdicts}.spec.ts
  test/integration/encryption/round-trip.spec.ts
  # Retention.
  test/integration/repository/two-phases.spec.ts
  test/integration/replication/log-retention.spec.ts
  # Restores.
  test/integration/restore/{delta,resume,start-decision}.spec.ts
)

# Sites are in buckets of the server (test/support/adapters.ts). Fewer rounds than in continuous integration, whose other
# legs make all of them: here it matters that the store is another one.
unset CI
export TEST_STORE=external
export SHIPPING_ROUNDS=${SHIPPING_ROUNDS:-20} CRASH_ROUNDS=${CRASH_ROUNDS:-10} WRITER_ROUNDS=${WRITER_ROUNDS:-8}
export STOP_ROUNDS=${STOP_ROUNDS:-1} HISTORY_STEPS=${HISTORY_STEPS:-20}
[ -e dist/main.js ] || npm run --silent build
node --experimental-vm-modules node_modules/jest/bin/jest.js --runTestsByPath "${specs[@]}"
