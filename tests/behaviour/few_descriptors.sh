#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# few_descriptors.sh - dunlin may have a few open files only: it works or fails, and the program runs on
. "$TESTS/lib.sh"

start tree_deep
for n in 4 8 12 16 24 40 100; do
	snapshot before
	(ulimit -n $n && TMPDIR=$folder/tmp exec "$DUNLIN" checkpoint "$pid" -o "$image")
	status=$?
	case $status in
	0) check_image && rm "$image" ;;
	1 | 127) check_no_image ;;
	*) fail "with $n descriptors: dunlin ended with $status" ;;
	esac
	snapshot after
	check_clean after
	compare before after
done
ends_well
