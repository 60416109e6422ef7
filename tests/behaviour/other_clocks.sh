#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# other_clocks.sh - restarted where the monotonic clock is ten days behind, as after a reboot: who waits for a moment by
# it waits for what was left
. "$TESTS/lib.sh"

mkdir -p "$folder/victim"
export VICTIM_DIR=$folder/victim image
space=(unshare --time --monotonic 864000 --boottime 864000 --fork --kill-child)
"${space[@]}" true 2> /dev/null || skip "no time namespaces here"
# shellcheck disable=SC2016
"${space[@]}" bash -c '
	setsid "$BUILD/tests/programs/deadlines" < /dev/null > "$VICTIM_DIR/output" 2>&1 &
	until [ -e "$VICTIM_DIR/ready" ]; do sleep 0.01; done
	exec "$DUNLIN" checkpoint $! -o "$image" --kill' || fail "the checkpoint ended with $?"
touch "$VICTIM_DIR/go"
timeout 20 "$DUNLIN" restart "$image" || fail "the restarted program ended with $?"
[ "$(cat "$VICTIM_DIR/result")" = passed ] || fail "$(cat "$VICTIM_DIR/output")"
