#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# full_disk.sh - no room for the image: the program runs on, nothing stays behind
. "$TESTS/lib.sh"

mount -t tmpfs -o size=64k,mode=0777 none "$folder/images" || skip "cannot mount a tmpfs"
for program in sleep_plain torture_compute tree_wide; do
	start $program
	checkpoint_fails 1 "no space left|disk|full"
	check_no_image
	# Not either when the program should be killed: it is only killed once the image is safe.
	checkpoint_fails 1 "no space left|disk|full" checkpoint "$pid" -o "$image" --kill
	check_no_image
	ends_well
done
