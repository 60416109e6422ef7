#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# pids_taken.sh - a restart whose pids are taken says which process holds which, and harms nobody
. "$TESTS/lib.sh"

start torture_threads
snapshot before
dunlin checkpoint "$pid" -o "$image" || fail "checkpoint ended with $?"
refuses 1 "\b$pid\b.*torture_threads|torture_threads.*\b$pid\b" restart "$image"
refuses 1 "\b$pid\b" restart "$image" --detach
snapshot after
check_clean after
compare before after
ends_well

# Taken by something else.
start sleep_plain
checkpoint_kill
wait "$pid"
echo $((pid - 1)) > /proc/sys/kernel/ns_last_pid
sleep 1000 &
[ $! = "$pid" ] || skip "could not get pid $pid for another process"
refuses 1 "\b$pid\b.*sleep|sleep.*\b$pid\b" restart "$image"
kill -0 "$pid" || fail "the process that held the pid was killed"
kill "$pid"
wait "$pid"
restart_detached

# In a pid namespace of its own, which would end with the dunlin that is its init.
unshare --pid --fork --mount-proc "$DUNLIN" restart "$image" --detach 2> "$folder/message" &&
	fail "restart --detach as process 1 succeeded"
grep -q 'without --detach' "$folder/message" || fail "restart --detach as process 1: $(cat "$folder/message")"
ends_well
