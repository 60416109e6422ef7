# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# lib.sh - dunlin killed at random moments of a checkpoint while a program works that checks itself
# shellcheck source=tests/lib.sh
. "$TESTS/lib.sh"

# storm PROGRAM KILLS: after each part of the storm a checkpoint must succeed that finds the program as it was;
# in the end it is checkpointed, killed, restarted, and must say that all is well.
storm()
{
	local rounds=5 each f
	each=$((${FULL:+10} + 0))
	each=$(($2 * (each > 0 ? each : 1) / rounds))
	start "$1"
	echo $((each * rounds)) > "$folder/victim/killed"
	snapshot untouched
	for _ in $(seq $rounds); do
		(TMPDIR=$folder/tmp exec "$TOOLS/storm" -n "$each" -- "$image" "$DUNLIN" checkpoint "$pid" -o "$image") ||
			fail "a checkpoint after a killed one failed"
		[ -d "/proc/$pid" ] && [ "$(state "$pid")" != Z ] || fail "the program is dead"
		if [ -e "$image" ]; then
			dunlin verify "$image" || fail "a killed dunlin left half an image under the final name"
		fi
		# Unfinished images: nobody was there to remove them.
		for f in "$folder"/images/* "$folder"/images/.[!.]* "$folder"/tmp/* "$folder"/tmp/.[!.]*; do
			rm "$f"
		done
		# What a killed dunlin left in the program the next one removes.
		dunlin checkpoint "$pid" -o "$image" || fail "checkpoint ended with $?"
		check_image
		snapshot after
		check_clean after
		compare untouched after
		rm "$image"
	done
	[ -s "$folder/victim/failures" ] && fail "the program was harmed: $(head -3 "$folder/victim/failures")"
	checkpoint_kill
	restart_detached
	ends_well
}
