#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# frozen.sh - a program that is frozen by its cgroup while dunlin has it, and thawed when dunlin is gone
. "$TESTS/lib.sh"

[ "${FULL-}" ] || skip "takes ten seconds: only with --full"
cgroup=/sys/fs/cgroup/freezer/dunlin-test-$RANDOM$RANDOM
mkdir "$cgroup" 2> /dev/null || skip "there is no freezer (cgroup v1)"
trap 'rmdir "$cgroup" 2> /dev/null' EXIT

start torture_threads
for p in $pid $(cat /proc/"$pid"/task/*/children); do
	echo "$p" > "$cgroup/cgroup.procs"
done
# Held by a pipe that nobody reads.
mkfifo "$folder/fifo"
exec 5<> "$folder/fifo"
"$DUNLIN" checkpoint "$pid" -o - --kill > "$folder/fifo" 2> "$folder/message" 5>&- &
dunlin=$!
pause 1
echo FROZEN > "$cgroup/freezer.state"
kill -TERM $dunlin
wait $dunlin
status=$?
cat "$folder/message"
exec 5>&-
[ $status = 1 ] || fail "dunlin ended with $status"
echo THAWED > "$cgroup/freezer.state"
pause 1
[ -s "$folder/victim/failures" ] && fail "the program was harmed: $(head -3 "$folder/victim/failures")"
# What it could not take away again the next one does.
dunlin checkpoint "$pid" -o "$image" || fail "checkpoint ended with $?"
checkpoint_kill
restart_detached
ends_well
