#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# lazy_parent.sh - checkpoint --kill of a child whose parent does not reap it: it ends, in bounded time, and says so
. "$TESTS/lib.sh"

mkdir -p "$folder/victim"
VICTIM_DIR=$folder/victim setsid bash -c '"$BUILD/tests/programs/sleep_plain" < /dev/null & exec sleep 1000' &
parent=$!
within 20 test -e "$folder/victim/ready" || fail "not ready"
pid=$(cat "$folder/victim/ready")
timeout 50 "$DUNLIN" checkpoint "$pid" -o "$image" --kill 2> "$folder/message"
status=$?
cat "$folder/message"
[ $status = 0 ] || fail "checkpoint --kill ended with $status"
[ "$(state "$pid")" = Z ] || fail "the program is no zombie: $(state "$pid")"
grep -qE "$pid|zombie|reap" "$folder/message" || fail "it does not say that a zombie stays"
check_image
# The pid is taken as long as the zombie is there.
refuses 1 "\b$pid\b" restart "$image"
kill -9 $parent
wait $parent
gone()
{
	[ ! -d "/proc/$pid" ]
}
within 20 gone || fail "not reaped by init"
"$DUNLIN" restart "$image" &
touch "$folder/victim/go"
wait $! || fail "the restarted program ended with $?"
