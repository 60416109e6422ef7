#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# image_target.sh - where an image cannot be written, and where there is one already
. "$TESTS/lib.sh"

start sleep_plain
checkpoint_fails 1 "no such file|no folder" checkpoint "$pid" -o "$folder/nowhere/image"
checkpoint_fails 1 "folder|directory" checkpoint "$pid" -o "$folder/images"
mount -t tmpfs -o size=64m,ro none "$folder/images" 2> /dev/null || skip "cannot mount a tmpfs"
checkpoint_fails 1 "read-only"
umount "$folder/images"
check_no_image

# An older image is replaced in the end, not before; a failure leaves it as it is.
dunlin checkpoint "$pid" -o "$image" || fail "checkpoint ended with $?"
cp "$image" "$folder/first"
(ulimit -f 64 && exec "$DUNLIN" checkpoint "$pid" -o "$image") && fail "checkpoint should have failed"
cmp "$image" "$folder/first" || fail "a failed checkpoint changed the older image"
check_image
checkpoint_plain
cmp -s "$image" "$folder/first" && fail "the older image was not replaced"

# By a relative name, and a mode that the umask does not decide.
(cd "$folder/images" && umask 0 && exec "$DUNLIN" checkpoint "$pid" -o image) || fail "relative: $?"
check_image
(cd "$folder/images" && umask 0777 && exec "$DUNLIN" checkpoint "$pid" -o image) || fail "umask 0777: $?"
check_image
ends_well
