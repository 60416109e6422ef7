#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# restart_killed.sh - dunlin restart killed at random moments: either nothing is left or the whole program runs
# timeout: 300
. "$TESTS/lib.sh"

# All at once: no parent may live to see its child die, it would say so.
end_all()
{
	# shellcheck disable=SC2046 # a word for each
	kill -STOP $(cat "$folder/pids") 2> /dev/null
	# shellcheck disable=SC2046
	kill -KILL $(cat "$folder/pids") 2> /dev/null
	within 10 none_left || fail "$program: does not die"
}

# Processes that are no part of the test itself.
left()
{
	local d
	for d in /proc/[0-9]*; do
		d=${d#/proc/}
		[ "$d" = $$ ] || [ "$d" = "$BASHPID" ] || [ -z "$(state "$d")" ] || [ "$(state "$d")" = Z ] || echo "$d"
	done
}
none_left()
{
	local d
	for d in $(left); do
		[ -d "/proc/$d" ] && [ "$(state "$d")" != Z ] && [ -n "$(state "$d")" ] && return 1
	done
	return 0
}
all_there()
{
	local p
	while read -r p; do
		[ -d "/proc/$p" ] || return 1
	done < "$folder/pids"
}
settled()
{
	none_left || all_there
}

kills=$((${FULL:+1} + 0))
kills=$((kills ? 300 : 12))
for program in tree_deep threads_many tree_wide; do
	start $program
	checkpoint_kill
	wait "$pid"
	began=$(date +%s%N)
	restart_detached
	took=$((($(date +%s%N) - began) / 1000000))
	end_all
	nothing=0 whole=0
	for ((i = 0; i < kills; i++)); do
		"$DUNLIN" restart "$image" > "$folder/output2" 2>&1 &
		dunlin=$!
		moment=$((RANDOM * RANDOM % (took + 1)))
		pause "$(printf '%d.%03d' $((moment / 1000)) $((moment % 1000)))"
		kill -9 $dunlin
		wait $dunlin
		within 10 settled || fail "$program: a restart killed after $moment ms left $(left | wc -l) processes: $(ps -ef)"
		if none_left; then
			nothing=$((nothing + 1))
		else
			whole=$((whole + 1))
			snapshot after --across
			check_clean after
			compare before after
			end_all
		fi
		check_image
	done
	echo "$program: $nothing times nothing was left, $whole times all of it"
	restart_detached
	ends_well
	rm "$image"
done
