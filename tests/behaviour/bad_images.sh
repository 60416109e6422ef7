#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# bad_images.sh - files that are no images, or damaged ones: refused with the reason, and nothing is started
# timeout: 120
. "$TESTS/lib.sh"

nothing_started()
{
	none_running tree_deep && none_running dunlin
}

bad=$folder/bad
refuses 1 "no such file" restart "$folder/nowhere"
refuses 1 "folder|directory" restart "$folder"
: > "$bad"
refuses 1 . restart "$bad"
echo "This is not an image, but a text that is long enough to be looked at." > "$bad"
refuses 1 "not a dunlin image|no dunlin image|magic" restart "$bad"
refuses 1 . restart /dev/null
refuses 1 . restart /dev/zero
head -c 100000 /dev/urandom > "$bad"
refuses 1 . restart "$bad"
refuses 1 . verify "$bad"
refuses 1 . inspect "$bad"

start tree_deep
checkpoint_kill
wait "$pid"
size=$(stat -c %s "$image")
dunlin verify "$image" || fail "verify of a good image ended with $?"

# Cut short, at each page of the beginning and the end and at odd places in between.
for cut in 0 1 7 100 4095 4096 8192 8193 $((size / 3)) $((size / 2)) $((size - 8192)) $((size - 4097)) \
	$((size - 4096)) $((size - 4095)) $((size - 1)); do
	head -c "$cut" "$image" > "$bad"
	refuses 1 . restart "$bad" > /dev/null
	refuses 1 . verify "$bad" > /dev/null
	within 5 nothing_started || fail "an image cut at $cut left processes: $(ps -ef)"
done

# Longer than it should be.
{ cat "$image" && head -c 4096 /dev/zero; } > "$bad"
refuses 1 . verify "$bad"

# Single bits.  Bytes that only fill up a record may be free of meaning, so that restart may accept them; verify
# checks every byte that means something, and what it refuses restart must refuse too.
refused=0
for ((i = 0; i < 60; i++)); do
	offset=$(((RANDOM * 32768 + RANDOM) % size))
	[ $i -lt 20 ] && offset=$((i * 3))
	[ $i -ge 20 ] && [ $i -lt 40 ] && offset=$((size - 1 - i * 200))
	cp "$image" "$bad"
	byte=$(od -An -tu1 -j "$offset" -N 1 "$bad")
	printf "$(printf '\\x%02x' $((byte ^ (1 << (RANDOM % 8)))))" |
		dd of="$bad" bs=1 seek="$offset" conv=notrunc status=none
	if ! "$DUNLIN" verify "$bad" > "$folder/printed" 2>&1; then
		refused=$((refused + 1))
		[ -s "$folder/printed" ] || fail "verify says nothing about a wrong bit at $offset"
		"$DUNLIN" restart "$bad" --detach > "$folder/printed" 2>&1
		status=$?
		[ $status = 1 ] || fail "restart of an image with a wrong bit at $offset: $status, $(cat "$folder/printed")"
		within 5 nothing_started || fail "a wrong bit at $offset left processes: $(ps -ef)"
	fi
done
echo "$refused of 60 wrong bits were refused"
[ $refused -ge 20 ] || fail "only $refused of 60 wrong bits were noticed"

# After all this the good one still works.
restart_detached
ends_well
