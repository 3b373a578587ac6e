#!/usr/bin/env bash
# Stops what test/ceph/start.sh started, by the process ids that it noted, and removes its data.
set -uo pipefail

dir=${CEPH_DIR:-${TMPDIR:-/tmp}/eider-ceph}
[ -e "$dir/pids" ] || exit 0

# Only a process that still is one of ours: ids are reused.
ours() { grep --quiet --null-data --fixed-strings -- "$dir/ceph.conf" "/proc/$1/cmdline" 2>/dev/null; }

tac "$dir/pids" | while read -r pid _; do ours "$pid" && kill "$pid"; done
for _ in $(seq 100); do
  alive=0
  while read -r pid _; do ours "$pid" && alive=1; done <"$dir/pids"
  [ $alive = 0 ] && break
  sleep 0.1
done
while read -r pid _; do ours "$pid" && kill -9 "$pid"; done <"$dir/pids"
rm -rf "$dir"
