#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# shell_session.sh - a program in the session and process group of a shell that is not taken along
. "$TESTS/lib.sh"

program=sleep_plain
source=$TESTS/programs/$program.c
mkdir -p "$folder/victim"
# A session of its own around it, as a login has.
VICTIM_DIR=$folder/victim setsid bash -c '"$BUILD/tests/programs/sleep_plain" < /dev/null >> "$0" 2>&1 & wait; sleep 1000' \
	"$folder/output" &
shell=$!
within 20 test -e "$folder/victim/ready" || fail "not ready"
pid=$(cat "$folder/victim/ready")
checkpoint_plain
dunlin checkpoint "$pid" -o "$image" --kill || fail "checkpoint --kill ended with $?"
[ -e "/proc/$pid" ] && [ "$(state "$pid")" != Z ] && fail "still running"
gone()
{
	[ ! -d "/proc/$pid" ]
}
within 20 gone || fail "not reaped"
"$DUNLIN" restart "$image" &
restart=$!
pause 0.3
touch "$folder/victim/go"
wait $restart
status=$?
cat "$folder/output"
[ $status = 0 ] || fail "the restarted program ended with $status"
kill -0 $shell || fail "the shell was harmed"
kill -9 -- -$shell
