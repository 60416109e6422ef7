#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# faults.sh - each system call of dunlin in turn is the one at which it is killed, or which fails
# timeout: 300
. "$TESTS/lib.sh"

EINTR=4 EIO=5 ENOMEM=12 EMFILE=24 ENOSPC=28
# Every call takes minutes: a sample of them, of a prime step.
step=${FULL:+1}
step=${step:-127}
errors=${FULL:+,$EIO,$EINTR,$ENOSPC}

# inject ARGUMENTS... -- COMMAND...: see tests/tools/inject.c.
inject()
{
	TMPDIR=$folder/tmp "$TOOLS/inject" "$@" || fail "$program does not bear what dunlin met"
}

begin()
{
	start quiet
	pids=$pid,$(cat /proc/"$pid"/task/*/children)
	pids=${pids%% }
	# What a first checkpoint changes for good (its stack may grow) is no matter here.
	dunlin checkpoint "$pid" -o "$image" || fail "checkpoint ended with $?"
}

echo "checkpoint"
begin
inject -w "kill,$ENOMEM,$EMFILE$errors" -s "$step" -d "$folder/images" -p "$pids" -- \
	"$DUNLIN" checkpoint "$pid" -o "$image"

echo "checkpoint of a stopped program"
kill -STOP "${pids%,*}" "${pids#*,}"
while [ "$(state "${pids%,*}")$(state "${pids#*,}")" != TT ]; do
	pause 0.01
done
inject -c -w kill -s "$step" -d "$folder/images" -p "$pids" -- "$DUNLIN" checkpoint "$pid" -o "$image"
kill -CONT "${pids%,*}" "${pids#*,}"

echo "restart"
checkpoint_kill
wait "$pid"
inject -r -w "kill,$ENOMEM,$EMFILE$errors" -s "$step" -d "$folder/tmp" -p "$pids" -- \
	"$DUNLIN" restart "$image" --detach

# The last calls are those that end the program, or let it go: all of them.
last=${FULL:+-2000}
last=${last:--45}
inject -r -w "kill,$ENOMEM" -f "$last" -d "$folder/tmp" -p "$pids" -- "$DUNLIN" restart "$image" --detach

echo "checkpoint --kill"
restart_detached
inject -k "exec '$DUNLIN' restart '$image' --detach" -w "kill${FULL:+,$ENOMEM}" -f "$last" -d "$folder/images" -p "$pids" -- \
	"$DUNLIN" checkpoint "$pid" -o "$image" --kill
kill "$pid"
finish
