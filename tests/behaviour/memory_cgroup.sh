#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# memory_cgroup.sh - a program at the limit of its cgroup's memory: what dunlin needs is not charged to it
. "$TESTS/lib.sh"

if [ -e /sys/fs/cgroup/memory/memory.limit_in_bytes ]; then
	cgroup=/sys/fs/cgroup/memory limit=memory.limit_in_bytes usage=memory.usage_in_bytes
else
	cgroup=/sys/fs/cgroup limit=memory.max usage=memory.current
fi
cgroup=$cgroup/dunlin-test-$RANDOM$RANDOM
mkdir "$cgroup" || skip "cannot make a cgroup"
# Whoever is in it ends with the pid namespace; when all goes well nobody is.
trap 'rmdir "$cgroup" 2> /dev/null' EXIT
[ -e "$cgroup/$limit" ] || skip "the memory controller is not at hand"

mkdir -p "$folder/victim"
(
	echo "$BASHPID" > "$cgroup/cgroup.procs"
	VICTIM_DIR=$folder/victim exec setsid "$BUILD/tests/programs/threads_many" < /dev/null > "$folder/output" 2>&1
) &
pid=$!
source=$TESTS/programs/threads_many.c
within 20 test -e "$folder/victim/ready" || fail "threads_many does not start"
used=$(cat "$cgroup/$usage")
# A slot for each thread would be 4 MiB.
echo $((used + 1000000)) > "$cgroup/$limit" || skip "cannot set $limit"
checkpoint_plain
ends_well
