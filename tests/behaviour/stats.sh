#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# stats.sh - --stats, -q, and what inspect and verify tell of an image
. "$TESTS/lib.sh"

start tree_deep
dunlin checkpoint "$pid" -o "$image" --stats "$folder/stats" || fail "checkpoint ended with $?"
python3 - "$folder/stats" "$image" << 'END' || fail "the statistics are wrong"
import json, os, sys
s = json.load(open(sys.argv[1]))
print(json.dumps(s))
text = json.dumps(s)
for key in ("total", "frozen", "bytes", "pages"):
	assert key in text, key
def find(o, k):
	if isinstance(o, dict):
		for n, v in o.items():
			if n.startswith(k) and isinstance(v, (int, float)): return v
			r = find(v, k)
			if r is not None: return r
assert find(s, "bytes") == os.path.getsize(sys.argv[2]), (find(s, "bytes"), os.path.getsize(sys.argv[2]))
assert find(s, "processes") == 21, find(s, "processes")
assert find(s, "threads") == 21, find(s, "threads")
assert find(s, "frozen") <= find(s, "total")
END
# A place for them that cannot be is found out before anything is done; a full one does not undo it.
checkpoint_fails 1 "cannot write the statistics" checkpoint "$pid" -o "$folder/images/none" --kill --stats /nowhere/stats
"$DUNLIN" checkpoint "$pid" -o - --kill --stats - > "$folder/none" && fail "--stats - and -o - go together"
[ -d "/proc/$pid" ] || fail "and it has killed the program"
[ ! -s "$folder/none" ] || fail "and it has written an image"
dunlin checkpoint "$pid" -o "$image" --stats /dev/full 2> "$folder/message" || fail "--stats /dev/full: ended with $?"
grep -q 'warning: cannot write the statistics' "$folder/message" || fail "it says: $(cat "$folder/message")"
dunlin -q checkpoint "$pid" -o "$image" > "$folder/said" 2>&1 || dunlin checkpoint -q "$pid" -o "$image" > "$folder/said" 2>&1 ||
	fail "-q: checkpoint ended with $?"
grep -v '^+' "$folder/said" && fail "-q says something"
dunlin verify "$image" || fail "verify ended with $?"
dunlin inspect "$image" > "$folder/text" || fail "inspect ended with $?"
grep -q tree_deep "$folder/text" || fail "inspect does not name the program"
grep -qw "$pid" "$folder/text" || fail "inspect does not name pid $pid"
dunlin inspect "$image" --json > "$folder/json" || fail "inspect --json ended with $?"
python3 -c 'import json, sys; json.load(open(sys.argv[1]))' "$folder/json" || fail "inspect --json is no JSON"
for command in checkpoint verify restart; do
	case $command in
	checkpoint) set -- "$pid" -o "$image" --kill ;;
	verify) set -- "$image" ;;
	restart) set -- "$image" --detach ;;
	esac
	dunlin "$command" "$@" -q --stats "$folder/$command" || fail "$command ended with $?"
	grep -E '^."(bytes|pages|processes|threads|mappings|descriptors)": [0-9]+,?$' "$folder/$command" > "$folder/counts.$command"
	cmp "$folder/counts.checkpoint" "$folder/counts.$command" || fail "$command counts other things than checkpoint did"
done
restarted=detached
ends_well
