#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# no_such_process.sh - targets that are not there, or cannot be taken
. "$TESTS/lib.sh"

refuses 1 "12345" checkpoint 12345 -o "$image"
check_no_image

# A zombie: it ends when the shell, which would reap it, is something else.
bash -c 'sleep 0.3 & exec sleep 1000' &
parent=$!
zombie_of()
{
	zombie=$(awk -v p="$parent" '{ sub(/.*\) /, "") } $1 == "Z" && $2 == p { print FILENAME }' /proc/[0-9]*/stat | grep -o '[0-9]*')
	[ -n "$zombie" ]
}
within 10 zombie_of || fail "no zombie to be had"
refuses 1 "zombie|ended|exited|dead" checkpoint "$zombie" -o "$image"
check_no_image

# dunlin itself is a descendant of this shell.
dunlin checkpoint $$ -o "$image"
status=$?
[ $status = 1 ] || [ $status = 3 ] || fail "a checkpoint of dunlin's own ancestor ended with $status"
check_no_image
kill -9 "$parent"
