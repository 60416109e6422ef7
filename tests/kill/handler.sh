#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# handler.sh - dunlin is killed, a signal comes while the program goes home, and the next dunlin in mid-handler
. "$TESTS/lib.sh"

held()
{
	grep -q '^SigBlk:.fffffffffff' "/proc/$pid/status"
}

# A whole checkpoint in a pipe that nobody reads, and with it the program, which has all signals blocked.
start handler_slow
mkfifo "$folder/fifo"
exec 5<> "$folder/fifo"
"$DUNLIN" checkpoint "$pid" -o - --kill > "$folder/fifo" 5>&- &
dunlin=$!
within 20 held || fail "dunlin does not hold it"
kill -USR1 "$pid"
kill -KILL $dunlin
wait $dunlin
exec 5>&-
within 20 test -e "$folder/victim/my-in" || fail "the handler was not called"
# The handler returns into what the killed dunlin has left.
dunlin checkpoint "$pid" -o "$image" || fail "checkpoint ended with $?"
dunlin checkpoint "$pid" -o "$image" || fail "a second checkpoint ended with $?"
touch "$folder/victim/my-out"
pause 0.2
[ -d "/proc/$pid" ] && [ "$(state "$pid")" != Z ] || fail "the program is dead"
dunlin checkpoint "$pid" -o "$image" || fail "the last checkpoint ended with $?"
snapshot after
check_clean after
checkpoint_kill
restart_detached
ends_well
