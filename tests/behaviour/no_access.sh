#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# no_access.sh - an ordinary user and a process that is not theirs, or a folder
. "$TESTS/lib.sh"

start sleep_plain
mode=user
checkpoint_fails 1 "permi|not permitted|allowed"
check_no_image
mode=''
ends_well

mode=user
start sleep_plain
chmod 0700 "$folder/images"
checkpoint_fails 1 "permission"
ends_well

# What lies under a guard region in shared memory can be read by root alone.
rm -rf "$folder/images" && mkdir -m 0777 "$folder/images"
start mem_guard_shared
checkpoint_fails 3 "guard region"
ends_well
