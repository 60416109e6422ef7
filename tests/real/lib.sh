# SPDX-License-Identifier: BSD-3-Clause
# lib.sh - a real program through two checkpoints at random moments, compared with an uninterrupted run
#
# A test sources this file, defines functions and calls "real":
#
#	prepare		puts the input into the current folder (called once for each run)
#	program		is the program: replaced by exec with what is to be taken
#	result		prints what must be the same, byte for byte; by default what the program printed
#
# The current folder of all three is the folder of the run.  The program's output goes to "stdout" and
# "stderr" there.  Exit status of the test: 0 passed, 77 skipped, 1 failed.
set -u
export LC_ALL=C TZ=UTC
unset DISPLAY
# How often a checkpoint may be refused: programs may be in the middle of what is not supported when they begin.
refusals=0
# Python from a version manager in the home folder is a shell script first.
PATH=/usr/bin:/bin:/usr/sbin:/sbin

result()
{
	cat stdout
}

fail()
{
	echo "FAILED: $*"
	for f in stdout stderr; do
		[ -s "$FOLDER/moved/$f" ] && echo "--- end of $f:" && tail -n 5 "$FOLDER/moved/$f"
	done
	exit 1
}

# needs COMMAND...: skips the test without them.
needs()
{
	local command
	for command; do
		command -v "$command" > /dev/null || {
			echo "skipped: $command is not installed"
			exit 77
		}
	done
}

# Sleeps without starting a process.
pause()
{
	read -r -t "$1" <> "$FOLDER/.never"
}

# start NAME: begins a run in a session of its own; its pid is in $pid.
start()
{
	mkdir "$FOLDER/$1" && cd "$FOLDER/$1" || exit 1
	prepare || fail "the input cannot be prepared"
	setsid bash -c program < /dev/null > stdout 2> stderr &
	pid=$!
}

now()
{
	echo $((${EPOCHREALTIME/./} / 1000))
}

# Waits for a random moment of the first half of the uninterrupted time (of the first quarter when that was
# too late, and so on), then takes the program out.  1: the program had ended already.
take()
{
	local moment=$((whole * (5 + RANDOM % 40) / 100 / attempt + 1)) status

	echo "attempt $attempt: checkpoint $1 after $moment of $whole ms"
	pause "$((moment / 1000)).$(printf %03d $((moment % 1000)))"
	[ -d "/proc/$pid" ] || return 1
	"$DUNLIN" checkpoint "$pid" -o "$FOLDER/image.$1" --kill
	status=$?
	while [ $status = 3 ] && [ "$refusals" -gt 0 ]; do
		refusals=$((refusals - 1))
		pause 0.3
		"$DUNLIN" checkpoint "$pid" -o "$FOLDER/image.$1" --kill
		status=$?
	done
	[ $status = 0 ] || [ -d "/proc/$pid" ] || return 1
	[ $status = 0 ] || fail "checkpoint $1 ended with $status"
	[ -e "/proc/$pid" ] && fail "process $pid is still there after checkpoint --kill"
	return 0
}

same_result()
{
	result > ../got || fail "no result $1"
	cmp ../expected ../got || fail "the result differs $1"
}

# One run with two interruptions.  1: it was over before the second.
interrupted()
{
	local status

	rm -rf "$FOLDER/moved" "$FOLDER"/image.*
	start moved
	take 1 || return 1
	"$DUNLIN" restart "$FOLDER/image.1" --detach || fail "restart 1 ended with $?"
	rm "$FOLDER/image.1"
	if ! take 2; then
		same_result "after one interruption"
		return 1
	fi
	"$DUNLIN" restart "$FOLDER/image.2"
	status=$?
	[ $status = 0 ] || fail "restarted, the program ended with $status"
}

real()
{
	local begin whole status attempt

	export -f program
	mkfifo "$FOLDER/.never"
	begin=$(now)
	start whole
	wait "$pid"
	status=$?
	whole=$(($(now) - begin))
	[ $status = 0 ] || fail "the program itself ended with $status: $(tail -n 1 stderr)"
	result > ../expected || fail "no result"
	[ -s ../expected ] || fail "the result is empty"

	for ((attempt = 1; ; attempt++)); do
		interrupted && break
		# Where other programs run as well, times are not what they were.
		[ $attempt -lt 5 ] || fail "the program is always over before it can be interrupted twice"
	done
	same_result "after two interruptions"
	echo "passed: $whole ms without interruption"
	exit 0
}
