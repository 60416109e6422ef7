#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# foreground.sh - restart in the foreground: exit status, signals, standard streams
. "$TESTS/lib.sh"

# take NAME SCRIPT: runs a shell with the script until it made a file "here", checkpoints and kills it.
take()
{
	rm -f "$folder/here" "$folder/go"
	# A shell starts what runs in the background with SIGINT and SIGQUIT ignored.
	setsid env --default-signal bash -c "$2" "$folder" < /dev/null > "$folder/output" 2>&1 &
	pid=$!
	within 20 test -e "$folder/here" || fail "$1: not ready"
	pause 0.1
	dunlin checkpoint "$pid" -o "$image" --kill || fail "$1: checkpoint ended with $?"
	wait "$pid"
}
export folder
polling='while [ ! -e $folder/go ]; do read -t 0.02 <> $folder/.never; done;'

take status ": > \$folder/here; $polling exit 42"
"$DUNLIN" restart "$image" &
pause 0.3
touch "$folder/go"
wait $!
status=$?
[ $status = 42 ] || fail "exit status: expected 42, got $status"

take killed ": > \$folder/here; $polling kill -KILL \$\$"
"$DUNLIN" restart "$image" &
pause 0.3
touch "$folder/go"
wait $!
status=$?
[ $status = 137 ] || fail "killed by SIGKILL: expected 137, got $status"

for sig in TERM INT HUP USR1 USR2 QUIT; do
	take "signal $sig" "trap 'echo got $sig; exit 17' $sig; : > \$folder/here; $polling exit 1"
	env --default-signal "$DUNLIN" restart "$image" &
	restart=$!
	running()
	{
		[ -d "/proc/$pid" ] && grep -q "^TracerPid:.0$" "/proc/$pid/status" && [ "$(cat "/proc/$pid/comm")" = bash ]
	}
	within 20 running || fail "signal $sig: not restarted"
	pause 0.2
	kill -$sig $restart
	wait $restart
	status=$?
	[ $status = 17 ] || fail "signal $sig: expected status 17 from the program's handler, got $status"
	grep -q "got $sig" "$folder/output" || fail "signal $sig did not come through"
done
