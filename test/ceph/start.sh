#!/usr/bin/env bash
# Starts one node of Ceph with its S3 gateway (RADOS Gateway) on 127.0.0.1: a production S3 server with real signatures.
# No systemd, no containers, no cephx. Needs ceph-mon, ceph-osd, ceph-common and radosgw (Debian or Ubuntu packages).
#
#   test/ceph/start.sh        prints S3_TEST_* lines for `eval`; stop with test/ceph/stop.sh
#
# Environment:
#   CEPH_DIR      folder for everything                        (default: $TMPDIR/eider-ceph)
#   CEPH_PORT     port of the S3 gateway; the monitor takes the next one but 1000   (default: 7480)
#   CEPH_SIZE_GB  size of the (sparse) disk                    (default: 20)
set -euo pipefail

dir=${CEPH_DIR:-${TMPDIR:-/tmp}/eider-ceph}
port=${CEPH_PORT:-7480}
size_gb=${CEPH_SIZE_GB:-20}
monitor_port=$((port + 1000))
access_key=eider-ceph-access
secret_key=eider-ceph-secret-key-for-tests-only

if [ -e "$dir/pids" ]; then
  echo "Ceph runs in $dir already, or was not stopped cleanly: run test/ceph/stop.sh first." >&2
  exit 1
fi
rm -rf "$dir"
mkdir -p "$dir"/{mon,osd,rgw,log,run}
: >"$dir/pids"

fsid=$(cat /proc/sys/kernel/random/uuid)
# Two settings are not obvious: without `ms mon client mode = crc` radosgw hangs when cephx is off, and without
# `tcp_nodelay=1` every small request takes 45 ms rather than 5.
cat >"$dir/ceph.conf" <<CONF
[global]
fsid = $fsid
mon host = v2:127.0.0.1:$monitor_port
mon initial members = a
public addr = 127.0.0.1
cluster addr = 127.0.0.1
public network = 127.0.0.0/8
ms bind ipv6 = false
ms bind msgr1 = false
auth cluster required = none
auth service required = none
auth client required = none
ms mon client mode = crc
ms client mode = crc
ms cluster mode = crc
ms service mode = crc
ms mon cluster mode = crc
ms mon service mode = crc
paxos propose interval = 0.02
paxos min wait = 0.01
run dir = $dir/run
admin socket = $dir/run/\$name.asok
log file = $dir/log/\$name.log
log to stderr = false
mon cluster log file = $dir/log/cluster.log
crash dir = $dir/log
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
mon warn on pool no redundancy = false
[mon]
mon data = $dir/mon
mon data avail crit = 1
mon data avail warn = 2
[mon.a]
public addr = 127.0.0.1
[osd]
osd data = $dir/osd
osd objectstore = bluestore
bluestore block create = true
bluestore block size = ${size_gb}G
bluestore block preallocate file = false
osd memory target = 1500000000
bluestore cache autotune = false
bluestore cache size = 268435456
osd max object name len = 2048
osd class load list = *
osd class default list = *
[client.rgw]
rgw data = $dir/rgw
rgw frontends = beast endpoint=127.0.0.1:$port tcp_nodelay=1
rgw thread pool size = 64
rgw run sync thread = false
rgw enable usage log = false
rgw lc debug interval = -1
CONF
conf=$dir/ceph.conf

# spawn NAME COMMAND…: in a session of its own, its pid noted for stop.sh.
spawn() {
  local name=$1
  shift
  setsid "$@" >"$dir/log/$name.out" 2>&1 </dev/null &
  echo "$! $name" >>"$dir/pids"
}

# until_true TENTHS MESSAGE COMMAND…: tries a command every tenth of a second.
until_true() {
  local tries=$1 message=$2
  shift 2
  for _ in $(seq "$tries"); do
    "$@" >/dev/null 2>&1 && return 0
    sleep 0.1
  done
  echo "$message; the logs are in $dir/log" >&2
  return 1
}

osd_up() { ceph -c "$conf" --connect-timeout 20 osd stat | grep -q '1 up'; }
gateway_up() { curl --silent --fail --output /dev/null "http://127.0.0.1:$port/"; }

monmaptool --create --clobber --addv a "[v2:127.0.0.1:$monitor_port]" --fsid "$fsid" "$dir/monmap" >/dev/null
ceph-mon -c "$conf" --mkfs -i a --monmap "$dir/monmap"
spawn mon ceph-mon -c "$conf" -i a -f

osd_uuid=$(cat /proc/sys/kernel/random/uuid)
ceph -c "$conf" --connect-timeout 20 osd new "$osd_uuid" 0 >/dev/null
ceph-osd -c "$conf" -i 0 --mkfs --osd-uuid "$osd_uuid" --no-mon-config >"$dir/log/osd-mkfs.out" 2>&1
spawn osd ceph-osd -c "$conf" -i 0 -f
until_true 600 "The OSD did not come up" osd_up

radosgw-admin -c "$conf" -n client.rgw user create --uid=eider --display-name=Eider --max-buckets=0 \
  --access-key="$access_key" --secret-key="$secret_key" >"$dir/log/user.json" 2>"$dir/log/user.err"
spawn rgw radosgw -c "$conf" -n client.rgw -f
until_true 600 "The gateway did not come up" gateway_up

cat <<ENV
export S3_TEST_ENDPOINT=http://127.0.0.1:$port
export S3_TEST_ACCESS_KEY_ID=$access_key
export S3_TEST_SECRET_ACCESS_KEY=$secret_key
ENV
