#!/usr/bin/env bash
# The Ceph leg: installs Ceph where it is missing (Debian packages), starts one node, runs the object-store contract and
# the end-to-end round against it, and stops it whatever happens. Exits 0 with a line that says so where Ceph cannot be
# had here; a failing test or a Ceph that does not start is a failure.
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

specs=(test/integration/object-store/ceph.spec.ts)
[ -e test/integration/end-to-end/ceph.spec.ts ] && specs+=(test/integration/end-to-end/ceph.spec.ts)
node --experimental-vm-modules node_modules/jest/bin/jest.js --selectProjects integration --runTestsByPath "${specs[@]}"
