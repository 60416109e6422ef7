#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# bad_pipe.sh - pipes that end too early, on either side
. "$TESTS/lib.sh"

start threads_many
snapshot before
"$DUNLIN" checkpoint "$pid" -o - 2> "$folder/message" | head -c 10000 > "$folder/part"
status=${PIPESTATUS[0]}
[ "$status" = 1 ] || fail "checkpoint into a pipe that nobody reads ended with $status"
[ -s "$folder/message" ] || fail "it says nothing"
cat "$folder/message"
snapshot after
check_clean after
compare before after

# With --kill too the program lives: the image never got to its end.
"$DUNLIN" checkpoint "$pid" -o - --kill 2> "$folder/message" | head -c 10000 > "$folder/part"
status=${PIPESTATUS[0]}
[ "$status" = 1 ] || fail "checkpoint --kill into a pipe that nobody reads ended with $status"
snapshot after
check_clean after
compare before after

"$DUNLIN" restart - --detach < "$folder/part" && fail "restart of half an image succeeded"
"$DUNLIN" restart - --detach < /dev/null && fail "restart of nothing succeeded"

# And through a pipe into a file it is an image like others.
"$DUNLIN" checkpoint "$pid" -o - | cat > "$folder/piped" || fail "checkpoint to a pipe"
dunlin verify "$folder/piped" || fail "verify of a piped image ended with $?"
ends_well
