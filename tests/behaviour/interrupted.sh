#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# interrupted.sh - dunlin ended by SIGTERM, SIGINT or SIGHUP in mid-checkpoint: no half image, no trace
. "$TESTS/lib.sh"

start threads_many
snapshot before
for sig in TERM INT HUP; do
	for delay in 0.01 0.02 0.04 0.06 0.1 0.15; do
		# SIGINT would be ignored in the background of a shell.
		env --default-signal "$DUNLIN" checkpoint "$pid" -o "$image" 2> "$folder/message" &
		dunlin=$!
		pause $delay
		kill -$sig $dunlin 2> /dev/null
		wait $dunlin
		status=$?
		if [ $status = 0 ]; then
			check_image
			rm "$image"
		else
			check_no_image
		fi
	done
done
checkpoint_plain
ends_well
