#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# streams.sh - standard streams that were pipes to the outside are joined to restart's own
. "$TESTS/lib.sh"

export folder
# The writer of standard input goes on for as long as the program may read.
(
	(echo one && exec sleep 1000) | setsid bash -c 'echo $BASHPID > $folder/pid; echo first; echo first error >&2
		read -r line; echo "got $line"; read -r line; echo "got $line"; exit 5' 2> >(cat > "$folder/err1")
) | cat > "$folder/out1" &
within 20 grep -q "got one" "$folder/out1" || fail "not ready"
pause 0.1
pid=$(cat "$folder/pid")
dunlin checkpoint "$pid" -o "$image" --kill || fail "checkpoint ended with $?"
gone()
{
	[ ! -d "/proc/$pid" ]
}
within 20 gone || fail "not gone"

echo two | "$DUNLIN" restart "$image" 2> "$folder/err2" | cat > "$folder/out2"
status=${PIPESTATUS[1]}
cat "$folder/out2" "$folder/err2"
[ "$status" = 5 ] || fail "exit status: expected 5, got $status"
[ "$(cat "$folder/out2")" = "got two" ] || fail "standard output after restart: $(cat "$folder/out2")"
[ "$(cat "$folder/out1")" = "first
got one" ] || fail "standard output before: $(cat "$folder/out1")"
