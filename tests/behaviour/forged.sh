#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# forged.sh - images with right checksums that somebody has tampered with: refused, or what they are; nothing is left
# timeout: 120
. "$TESTS/lib.sh"

unshare --user --map-root-user true || skip "no user namespaces"
# In a pid namespace of its own, as an ordinary user: who knows what they ask for.
cat > "$folder/inside" << 'END'
timeout -k 2 20 "$1" restart --detach "$2" > "$3/said" 2>&1 < /dev/null
status=$?
[ $status = 0 ] || for p in /proc/[0-9]*; do
	read -r line < "$p/stat"
	[ "$p" = /proc/1 ] || echo "$line"
done > "$3/left"
echo $status > "$3/status"
END

try()
{
	local seed=$1 status
	"$TOOLS/forge" "$seed" "$changes" "$image" "$folder/forged" > "$folder/changed" || fail "cannot forge"
	chmod 0644 "$folder/forged"
	rm -f "$folder"/out/*
	(exec setpriv --reuid=1000 --regid=1000 --clear-groups --inh-caps=-all \
		unshare --user --map-root-user --fork --pid --kill-child --mount-proc \
		sh "$folder/inside" "$DUNLIN" "$folder/forged" "$folder/out") > "$folder/outer" 2>&1
	status=$(cat "$folder/out/status" 2> /dev/null)
	tally="$tally $status"
	case $status in
	0 | 1 | 3) ;;
	*) fail "seed $seed, $(cat "$folder/changed"): ended with $status: $(cat "$folder/out/said")" ;;
	esac
	grep -qE 'Sanitizer|runtime error' "$folder/out/said" &&
		fail "seed $seed, $(cat "$folder/changed"): $(head -20 "$folder/out/said")"
	[ "$status" = 0 ] || [ -s "$folder/out/said" ] || fail "seed $seed, $(cat "$folder/changed"): says nothing"
	[ -s "$folder/out/left" ] &&
		fail "seed $seed, $(cat "$folder/changed"), $(cat "$folder/out/said"): left $(cat "$folder/out/left")"
	return 0
}

mkdir -p "$folder/out"
chmod 0777 "$folder/out"
changes=1 seeds=15
programs='sessions mem_shared posix_timers'
[ "${FULL-}" ] && seeds=500 &&
	programs="$programs quiet pipe_data signal_pending mem_memfd file_deleted mem_cow lock_posix zombies fifo_data timer_fd tree_siblings"
for program in $programs; do
	tally=''
	start "$program"
	checkpoint_kill
	wait "$pid"
	chmod 0666 "$folder/output"
	for changes in 1 3; do
		for ((seed = 1; seed <= seeds; seed++)); do
			try $seed
		done
	done
	echo "$program: $(echo "$tally" | tr ' ' '\n' | sort | uniq -c | tr '\n' ' ')"
	rm -rf "$image" "$folder/victim"
done
