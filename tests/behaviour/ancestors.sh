#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# ancestors.sh - what the program shares with the one who started it is named, and nothing else
. "$TESTS/lib.sh"

cat > "$folder/parent.py" <<'END'
import mmap, os, sys, time
folder = sys.argv[1]
shared = mmap.mmap(-1, 4096)
memfd = os.memfd_create("both")
ends = os.pipe()
for n in ends + (memfd,):
    os.set_inheritable(n, True)
pid = os.fork()
if pid == 0:
    own = os.pipe(), mmap.mmap(-1, 4096), os.memfd_create("own")
    open(folder + "/pid", "w").write(str(os.getpid()))
    while not os.path.exists(folder + "/go"):
        time.sleep(0.01)
    os._exit(0)
os.waitpid(pid, 0)
END
command -v python3 > /dev/null || skip "no python3"
python3 "$folder/parent.py" "$folder" &
within 20 test -s "$folder/pid" || fail "the program does not start"
pause 0.1
pid=$(cat "$folder/pid")
dunlin checkpoint "$pid" -o "$image" 2> "$folder/message" || fail "checkpoint ended with $?"
cat "$folder/message"
grep -qE "pipe:\[[0-9]+\] is shared with process [0-9]+ \(python3\)" "$folder/message" || fail "no word of the pipe"
grep -qF "/memfd:both (deleted) is shared with" "$folder/message" || fail "no word of the memfd"
grep -qF "/dev/zero (deleted) is shared with" "$folder/message" || fail "no word of the shared memory"
[ "$(grep -c "is shared with" "$folder/message")" = 3 ] || fail "too many words"
touch "$folder/go"
wait
