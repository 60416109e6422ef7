#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# ending_children.sh - no checkpoint stumbles over children that are just ending
. "$TESTS/lib.sh"

start forks_ending
for n in {1..150}; do
	"$DUNLIN" checkpoint "$pid" -o "$image" || fail "checkpoint $n ended with $?"
done
check_image
ends_well
