#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# little_memory.sh - dunlin runs out of memory: the program does not notice
. "$TESTS/lib.sh"

# Whatever the limit, either it works or it fails; below some limit not even the loader works (127).
start threads_many
for kib in 6000 8000 12000 16000 24000 32000 64000; do
	snapshot before
	(ulimit -v $kib && TMPDIR=$folder/tmp exec "$DUNLIN" checkpoint "$pid" -o "$image")
	status=$?
	case $status in
	0) check_image && rm "$image" ;;
	1 | 127) check_no_image ;;
	*) fail "with $kib KiB: dunlin ended with $status" ;;
	esac
	snapshot after
	check_clean after
	compare before after
done
ends_well
