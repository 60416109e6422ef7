#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# chroot.sh - dunlin and a program with a deleted file, in a root folder that is no mount: a build environment
. "$TESTS/lib.sh"

root=$folder/root
program=file_deleted
source=$TESTS/programs/$program.c
mkdir -p "$root"/{proc,bin,tmp,dev/shm,var/tmp}
mkdir "$root/sys"
mount -t proc proc "$root/proc" && mount -t sysfs sysfs "$root/sys" || skip "cannot mount"
mknod -m 666 "$root/dev/null" c 1 3 || skip "cannot make devices"
cp "$DUNLIN" "$root/bin/dunlin"
cp "$BUILD/tests/programs/$program" "$root/bin/"
for library in $(ldd "$DUNLIN" "$BUILD/tests/programs/$program" | grep -o '/[^ ]*\.so[^ ]*' | sort -u); do
	mkdir -p "$root${library%/*}"
	cp -L "$library" "$root$library"
done
mkdir "$root/victim"
: > "$folder/output"
VICTIM_DIR=/victim setsid chroot "$root" "/bin/$program" < "$root/dev/null" > "$root/output" 2>&1 &
pid=$!
within 20 test -e "$root/victim/ready" || fail "not ready: $(cat "$root/output")"
chroot "$root" /bin/dunlin checkpoint "$pid" -o /tmp/image --kill || fail "checkpoint ended with $?"
wait "$pid"
chroot "$root" /bin/dunlin restart /tmp/image < "$root/dev/null" &
restart=$!
touch "$root/victim/go"
wait $restart
status=$?
cat "$root/output"
[ $status = 0 ] || fail "the program ended with $status"
