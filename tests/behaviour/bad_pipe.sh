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
ends_well

# What a pipe holds has not been read yet: a small program, and a reader that ends without reading.
start blocked_sem
snapshot before
"$DUNLIN" checkpoint "$pid" -o - --kill 2> "$folder/message" | pause 0.5
status=${PIPESTATUS[0]}
[ "$status" = 1 ] || fail "checkpoint --kill into a pipe that is closed later ended with $status"
grep -q 'reader is gone' "$folder/message" || fail "it says: $(cat "$folder/message")"
# A reader that does not read keeps it from ending, but not from being interrupted.
mkfifo "$folder/fifo"
exec 5<> "$folder/fifo"
"$DUNLIN" checkpoint "$pid" -o - --kill > "$folder/fifo" 2> "$folder/message" 5>&- &
dunlin=$!
pause 0.2
kill -TERM $dunlin
wait $dunlin
status=$?
exec 5>&-
[ "$status" = 1 ] || fail "an interrupted checkpoint --kill into a pipe ended with $status"
grep -q 'interrupted' "$folder/message" || fail "it says: $(cat "$folder/message")"
rm "$folder/fifo"
snapshot after
check_clean after
compare before after
ends_well

start threads_many
"$DUNLIN" restart - --detach < "$folder/part" && fail "restart of half an image succeeded"
"$DUNLIN" restart - --detach < /dev/null && fail "restart of nothing succeeded"

# And through a pipe into a file it is an image like others.
"$DUNLIN" checkpoint "$pid" -o - | cat > "$folder/piped" || fail "checkpoint to a pipe"
dunlin verify "$folder/piped" || fail "verify of a piped image ended with $?"
ends_well
