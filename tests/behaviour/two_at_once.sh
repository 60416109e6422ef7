#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# two_at_once.sh - several dunlins on one program: each works or says why not, and the program does not notice
. "$TESTS/lib.sh"

start torture_threads
snapshot before
good=0
for _ in 1 2 3 4 5; do
	jobs=()
	for n in 1 2 3; do
		"$DUNLIN" checkpoint "$pid" -o "$folder/images/image$n" 2> "$folder/message$n" &
		jobs+=($!)
	done
	for n in 1 2 3; do
		wait "${jobs[$((n - 1))]}"
		status=$?
		case $status in
		0) good=$((good + 1)) ;;
		1 | 3) [ -s "$folder/message$n" ] || fail "no message" ;;
		*) fail "dunlin ended with $status: $(cat "$folder/message$n")" ;;
		esac
	done
done
rm -f "$folder"/images/image?
check_no_image
[ $good -gt 0 ] || fail "none of 15 succeeded: $(cat "$folder/message1")"
echo "$good of 15 succeeded"
snapshot after
check_clean after
compare before after
checkpoint_plain
ends_well
