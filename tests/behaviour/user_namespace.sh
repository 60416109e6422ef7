#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# user_namespace.sh - an ordinary user restarts what ran outside in namespaces of their own
. "$TESTS/lib.sh"

user=(setpriv --reuid=1000 --regid=1000 "--groups=27,100,1000" --inh-caps=-all)
program=sleep_plain
source=$TESTS/programs/$program.c
mkdir "$folder/victim"
touch "$folder/output"
chmod 0777 "$folder" "$folder"/*
"${user[@]}" unshare --map-current-user true || skip "users may not make user namespaces here"
VICTIM_DIR=$folder/victim "${user[@]}" setsid "$BUILD/tests/programs/$program" < /dev/null >> "$folder/output" 2>&1 &
pid=$!
within 20 test -e "$folder/victim/ready" || fail "not ready"
groups=$(grep '^Groups:' "/proc/$pid/status")
"${user[@]}" "$DUNLIN" checkpoint "$pid" -o "$image" --kill || fail "checkpoint ended with $?"
wait "$pid"

# As the root of the namespace the user's own id is unknown.
"${user[@]}" unshare --map-root-user --pid --fork --mount-proc "$DUNLIN" restart "$image" 2> "$folder/message"
status=$?
cat "$folder/message"
[ $status = 1 ] || fail "restart with another id ended with $status"
grep -q 'map-current-user' "$folder/message" || fail "the message does not tell how"

"${user[@]}" unshare --map-current-user --keep-caps --pid --fork --mount-proc --kill-child "$DUNLIN" restart "$image" &
restart=$!
# Its pid here is another one.
runs()
{
	moved=$(pgrep -x "$program")
	[ -n "$moved" ] && [ "$(sed -n 's/^NSpid:.*\t//p' "/proc/$moved/status")" = "$pid" ]
}
within 20 runs || fail "it does not run"
[ "$(grep '^Groups:' "/proc/$moved/status")" = "$groups" ] || fail "its groups differ: $(grep '^Groups:' "/proc/$moved/status")"
touch "$folder/victim/go"
wait $restart || fail "restart ended with $?: $(cat "$folder/output")"
