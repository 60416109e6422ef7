#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# files.sh - files that changed between checkpoint and restart: refusals, warnings, --rollback-files
#
# One program holds files of all sorts; each case changes one of them, tries a restart, and puts it back.
set -u
export LC_ALL=C
FOLDER=$FOLDER/files
mkdir "$FOLDER" && cd "$FOLDER" || exit 1
passed=0

fail()
{
	echo "FAILED: $*"
	[ -s message ] && cat message
	exit 1
}

# Nobody of the program may be there.
nothing_runs()
{
	local comm
	for comm in /proc/[0-9]*/comm; do
		grep -qxE 'holder|dunlin' "$comm" 2> /dev/null && ! grep -q '^State:.*Z' "${comm%comm}status" &&
			fail "$1: a process was left behind: ${comm%/comm} $(cat "$comm")"
	done
	[ ! -e came_back ] || fail "$1: the program ran"
}

# refused NAME PATH: restart must fail with 1, name PATH, and leave nothing.
refused()
{
	local status
	"$DUNLIN" restart image > output 2> message
	status=$?
	[ $status = 1 ] || fail "$1: restart ended with $status, not 1"
	grep -qF -- "$2" message || fail "$1: the message does not name $2"
	nothing_runs "$1"
	echo "refused as it should be: $1: $(cat message)"
	passed=$((passed + 1))
}

cat > holder.c <<'E2'
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int value(void);

/* Holds the files, waits for "go", writes to the log, and says that it came back. */
int main(void)
{
	int reading = open("reading", O_RDONLY), log = open("log", O_WRONLY | O_APPEND), plain = open("plain", O_RDWR);
	int folder = open("folder", O_RDONLY | O_DIRECTORY), fifo = open("fifo", O_RDWR);
	int mapped = open("mapped", O_RDWR), i;
	char *memory = mmap(NULL, 8192, PROT_READ, MAP_SHARED, mapped, 0);
	char *private = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, open("private", O_RDONLY | O_CLOEXEC), 0);

	if (open("linked", O_RDWR) < 0 || private == MAP_FAILED || link("linked", "folder/other") < 0 || unlink("linked") < 0)
		return 1;
	if (reading < 0 || log < 0 || plain < 0 || folder < 0 || fifo < 0 || memory == MAP_FAILED)
		return 1;
	close(mapped);
	if (lseek(plain, 5, SEEK_SET) != 5 || chdir("cwd") < 0)
		return 1;
	close(open("../ready", O_CREAT | O_WRONLY, 0644));
	while (access("../go", F_OK) < 0)
		usleep(10000);
	close(open("../came_back", O_CREAT | O_WRONLY, 0644));
	for (i = 0; i < 3; i++)
		if (write(log, "after\n", 6) != 6 || write(plain, "AFTER", 5) != 5)
			return 1;
	return value() == 42 && memory[4096] == 'm' ? 0 : 1;
}
E2
echo 'int value(void) { return 42; }' > value.c
{ gcc -shared -fPIC -o libvalue.so value.c && gcc -w -o holder holder.c -L. -lvalue -Wl,-rpath,"$FOLDER"; } ||
	fail "the program does not compile"
mkdir folder cwd
mkfifo fifo
head -c 8192 /dev/zero | tr '\0' m > mapped
echo "input that is read" > reading
echo before > log
echo "plain text" > plain
echo "mapped privately" > private
echo "has another name" > linked

setsid ./holder < /dev/null > /dev/null 2>&1 &
pid=$!
for ((i = 0; i < 1000; i++)); do
	[ -e ready ] && break
	sleep 0.01
done
[ -e ready ] || fail "the program does not start"
"$DUNLIN" checkpoint "$pid" -o image --kill 2> message || fail "checkpoint ended with $?"
: > go # a program that gets to run would notice
cp image original

# ---- gone, another type, shorter
for name in reading log plain mapped libvalue.so holder folder cwd fifo; do
	mv "$name" aside
	refused "$name is gone" "$FOLDER/$name"
	case $name in
	folder | cwd) echo "now a file" > "$name" ;;
	*) mkdir "$name" ;;
	esac
	refused "$name is of another type" "$FOLDER/$name"
	rm -r "${name:?}"
	mv aside "$name"
done
for name in reading log plain mapped; do
	cp -p "$name" aside
	truncate -s -1 "$name"
	refused "$name is shorter" "$FOLDER/$name"
	cat aside > "$name"
	touch -r aside "$name"
	rm aside
done
mv fifo aside
echo > fifo
refused "fifo is now a file" "$FOLDER/fifo"
rm fifo
mv aside fifo

# ---- code that is executed must be what it was, even if it is as long
for name in libvalue.so holder; do
	cp -p "$name" aside
	sleep 0.01
	printf x | dd of="$name" bs=1 seek=20 conv=notrunc status=none
	refused "$name has other content" "$FOLDER/$name"
	cat aside > "$name"
	touch -r aside "$name"
	cp -p "$name" longer
	mv longer "$name" # another inode with the same content is no change
	rm aside
done

# ---- grown: a warning names what the program was writing, and the restart goes on
cp image again
echo "written later" >> log
echo "written later" >> plain
"$DUNLIN" restart image > output 2> message || fail "restart with grown files ended with $?"
grep -qF "$FOLDER/log" message || fail "no warning about the log that grew"
grep -qF "$FOLDER/plain" message || fail "no warning about the file that grew"
[ -e came_back ] || fail "the program did not run"
[ "$(cat log)" = "$(printf 'before\nwritten later\nafter\nafter\nafter')" ] || fail "log: $(cat log)"
[ "$(cat plain)" = "$(printf 'plainAFTERAFTERAFTERater')" ] || fail "plain: $(cat plain)"
passed=$((passed + 1))
rm came_back

# ---- a restart that fails cuts nothing: whoever is not root cannot choose process ids
chmod a+r again && chmod -R a+rwX reading log plain mapped folder fifo cwd
cp -p log aside
setpriv --reuid=1000 --regid=1000 --clear-groups --inh-caps=-all "$DUNLIN" restart again --rollback-files \
	> output 2> message && fail "an ordinary user's restart did not fail"
grep -q "process ids" message || fail "the restart failed for another reason"
cmp log aside || fail "a restart that failed has cut the log"
passed=$((passed + 1))
rm aside

# ---- a second restart from the same image, cutting files back to what they were
"$DUNLIN" restart again --rollback-files > output 2> message || fail "restart --rollback-files ended with $?"
[ "$(cat log)" = "$(printf 'before\nafter\nafter\nafter')" ] || fail "log after rollback: $(cat log)"
[ "$(head -c 20 plain)" = "plainAFTERAFTERAFTER" ] && [ "$(stat -c %s plain)" = 20 ] ||
	fail "plain after rollback: $(cat plain)"
passed=$((passed + 1))
rm came_back

# ---- what is only read may grow without a word
echo "more to read" >> reading
"$DUNLIN" restart again --rollback-files > output 2> message || fail "restart with a grown input ended with $?"
grep -qF "$FOLDER/reading" message && fail "a warning about a file that is only read"
[ "$(cat reading)" = "$(printf 'input that is read\nmore to read')" ] || fail "an input was cut back"

# ---- what is mapped privately, and another name of a deleted file
grep -qE "has mapped|other names" message && fail "a warning about files that are as they were"
echo "changed" >> private
rm folder/other
"$DUNLIN" restart again --rollback-files > output 2> message || fail "restart with a changed mapping ended with $?"
grep -qF "$FOLDER/private, which the program has mapped, was changed" message || fail "no warning about a changed mapping"
grep -qF "$FOLDER/linked was deleted and had other names" message || fail "no warning about other names"
passed=$((passed + 1))
cmp image original || fail "the image was changed"
echo "$passed cases"
