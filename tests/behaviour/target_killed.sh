#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# target_killed.sh - somebody kills the program while dunlin has it: dunlin says so and ends
. "$TESTS/lib.sh"

for delay in 0.02 0.05 0.08 0.11 0.15 0.2; do
	start threads_many
	"$DUNLIN" checkpoint "$pid" -o "$image" 2> "$folder/message" &
	dunlin=$!
	pause $delay
	kill -KILL "$pid"
	wait "$pid"
	within 30 none_running dunlin || fail "dunlin does not end: killed after $delay s"
	wait $dunlin
	status=$?
	cat "$folder/message"
	case $status in
	0) rm "$image" ;;
	1 | 3) [ -s "$folder/message" ] || fail "it says nothing" ;;
	*) fail "dunlin ended with $status" ;;
	esac
	check_no_image
	rm -rf "$folder/victim"
done
