# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# lib.sh - what tests/case and the scripts of the other folders share
#
# A test runs as the init of a pid namespace; $FOLDER is its own, $DUNLIN the binary to test, $TOOLS and
# $BUILD/tests/programs what was built for tests.  Functions that find something wrong end the test.

set -u
shopt -s nullglob
export LC_ALL=C

folder=${FOLDER:?set by tests/run}
image=$folder/images/image
quiet=$folder/.never
pid='' restarted='' stopped='' source='' mode=${mode:-}
mkdir -p "$folder/images" "$folder/tmp"
[ -p "$quiet" ] || mkfifo "$quiet"

fail()
{
	echo "FAILED: $*"
	exit 1
}

skip()
{
	echo "skipped: $*"
	exit 77
}

# Sleeps without starting a process.
pause()
{
	read -r -t "$1" <> "$quiet"
}

# within SECONDS COMMAND...: until COMMAND succeeds; 1 if it does not in time.
within()
{
	local end=$((SECONDS + $1 + 1))
	shift
	until "$@"; do
		[ $SECONDS -gt $end ] && return 1
		pause 0.02
	done
	return 0 # not the status of the pause
}

# directive NAME: the value of a " * NAME: VALUE" line of the program's comment.
directive()
{
	sed -n "s/^ \* $1: *//p" "$source" | head -1
}

# as_user COMMAND...: as the ordinary user of mode "user", else as we are.  In a subshell only.
as_user()
{
	if [ "$mode" = user ]; then
		exec setpriv --reuid=1000 --regid=1000 --clear-groups --inh-caps=-all "$@"
	fi
	exec "$@"
}

# start PROGRAM: a self-checking program, until it is ready; $pid.  $folder/victim is its folder.
start()
{
	program=$BUILD/tests/programs/$1
	source=$TESTS/programs/$1.c
	mkdir -p "$folder/victim"
	chmod 0777 "$folder/victim" "$folder/images" "$folder/tmp"
	stopped=$(directive stopped)
	restarted=''
	(VICTIM_DIR=$folder/victim as_user setsid "$program" < /dev/null >> "$folder/output" 2>&1) &
	pid=$!
	while [ ! -e "$folder/victim/ready" ]; do
		pause 0.01
		[ -d "/proc/$pid" ] || finish # it failed or skipped before it was ready
	done
	while [ -n "$stopped" ] && [ "$(state "$pid")" != T ]; do
		pause 0.01
	done
}

# state PID: its letter, or nothing.
state()
{
	sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status" 2> /dev/null
}

# snapshot NAME [--across]: what the program looks like from outside.
snapshot()
{
	"$TOOLS/snapshot" "${@:2}" "$pid" > "$folder/$1"
}

# compare BEFORE AFTER: the program must look the same, but for what it changes itself.
compare()
{
	local unsettled part filter=()
	unsettled=$(directive unsettled | sed 's/ *(.*//')
	for part in $unsettled; do
		[ "$part" = all ] && part='.*'
		filter+=(-e "^[0-9]+ [0-9]+ $part ")
	done
	[ ${#filter[@]} = 0 ] && filter=(-e '^$')
	grep -Ev "${filter[@]}" "$folder/$1" > "$folder/$1.settled"
	grep -Ev "${filter[@]}" "$folder/$2" > "$folder/$2.settled"
	if ! diff "$folder/$1.settled" "$folder/$2.settled" > "$folder/difference"; then
		grep '^[<>]' "$folder/difference" | sort -u | sort -k2,2n -k3,3n -k4,4 | cut -c1-400 | head -40
		fail "the program does not look as before (< before, > after); all of it: $folder/difference"
	fi
}

# No process of that name but zombies, which have a parent that will see to them.
none_running()
{
	local f name
	for f in /proc/[0-9]*/comm; do
		name=$(cat "$f" 2> /dev/null) || continue
		[ "$name" = "$1" ] || continue
		case $(state "$(basename "${f%/comm}")") in
		Z | X | '') ;;
		*) return 1 ;;
		esac
	done
}

# check_clean SNAPSHOT: dunlin must leave nothing in the program, nothing running, no temporary file.
check_clean()
{
	local f
	[ -s "$folder/$1" ] || fail "process $pid is not there"
	if [[ "$(directive unsettled)" != *tracer* ]]; then
		grep -E ' status TracerPid:' "$folder/$1" | grep -vE '\\x090$' && fail "something still traces the program"
	fi
	grep -E '^[0-9]+ [0-9]+ (maps|fd) .*memfd:dunlin' "$folder/$1" &&
		fail "dunlin left something in the program"
	within 5 none_running dunlin || fail "a dunlin is still running"
	for f in "$folder"/tmp/* "$folder"/tmp/.[!.]*; do
		fail "left behind: $f"
	done
	return 0
}

check_image()
{
	local f
	[ -f "$image" ] || fail "there is no image"
	[ "$(stat -c %a "$image")" = 600 ] || fail "the image has mode $(stat -c %a "$image"), not 600"
	for f in "$folder"/images/* "$folder"/images/.[!.]*; do
		[ "$f" = "$image" ] || fail "left beside the image: $f"
	done
}

check_no_image()
{
	local f
	for f in "$folder"/images/* "$folder"/images/.[!.]*; do
		fail "there is a file where there should be no image: $f"
	done
}

dunlin()
{
	echo "+ dunlin $*" >&2
	(TMPDIR=$folder/tmp as_user "$DUNLIN" "$@")
}

# refuses STATUS REGEX ARGUMENTS...: dunlin must end with that status and say something that matches.
refuses()
{
	local status wanted=$1 regex=$2
	shift 2
	dunlin "$@" 2> "$folder/message" > "$folder/printed" < /dev/null
	status=$?
	cat "$folder/message"
	[ $status = "$wanted" ] || fail "dunlin $* ended with $status, not with $wanted"
	grep -qEi -- "$regex" "$folder/message" || fail "dunlin $*: its message does not match: $regex"
}

# A checkpoint that must succeed, and that the program must not notice.
checkpoint_plain()
{
	snapshot before
	dunlin checkpoint "$pid" -o "$image" || fail "checkpoint ended with $?"
	check_image
	snapshot after
	check_clean after
	compare before after
}

# A checkpoint that must fail: STATUS REGEX [dunlin's arguments]; the program must not notice.
checkpoint_fails()
{
	local status=$1 regex=$2
	shift 2
	[ $# = 0 ] && set -- checkpoint "$pid" -o "$image"
	snapshot before
	refuses "$status" "$regex" "$@"
	snapshot after
	check_clean after
	compare before after
}

checkpoint_kill()
{
	local p
	snapshot before --across
	dunlin checkpoint "$pid" -o "$image" --kill || fail "checkpoint --kill ended with $?"
	cut -d' ' -f1 "$folder/before" | sort -u > "$folder/pids"
	while read -r p; do
		[ -e "/proc/$p" ] && fail "process $p is still there after checkpoint --kill: $(cat "/proc/$p/stat")"
	done < "$folder/pids"
	check_image
}

restart_detached()
{
	dunlin restart "$image" --detach || fail "restart ended with $?"
	snapshot after --across
	check_clean after
	compare before after
	check_image
	restarted=detached
}

go()
{
	touch "$folder/victim/go"
	if [ -n "$stopped" ]; then
		kill -CONT -- "-$pid"
	fi
}

# verdict: waits for the end of the program; its exit status, 1 if that is not known and it did not pass.
verdict()
{
	local status=1
	if [ "$restarted" = detached ]; then
		while [ -d "/proc/$pid" ]; do
			pause 0.01
		done
		case $(sort -u "$folder/victim/result" 2> /dev/null) in
		passed) status=0 ;;
		skipped*) status=77 ;;
		esac
	else
		wait "$pid"
		status=$?
	fi
	cat "$folder/output"
	[ $status = 0 ] && [ -s "$folder/victim/failures" ] && fail "children of the program failed"
	return $status
}

# The program's verdict is the test's.
finish()
{
	verdict
	local status=$?
	[ $status = 0 ] && exit 0
	[ $status = 77 ] && exit 77
	fail "the program ended with status $status"
}

# ends_well: lets the program go on to its end, which must be a good one.
ends_well()
{
	go
	verdict || fail "the program ended with status $?"
	rm -rf "$folder/victim" "$folder/output"
}
