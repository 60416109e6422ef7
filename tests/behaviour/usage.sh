#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# usage.sh - wrong usage: exit status 2, a message, and nothing done
. "$TESTS/lib.sh"

start sleep_plain
snapshot before
refuses 2 . nonsense
refuses 2 . checkpoint
refuses 2 . checkpoint "$pid"
refuses 2 . checkpoint "$pid" -o
refuses 2 . checkpoint -o "$image"
refuses 2 . checkpoint "$pid" 1 -o "$image"
refuses 2 . checkpoint "$pid" -o "$image" --nonsense
refuses 2 . checkpoint abc -o "$image"
refuses 2 . checkpoint 12x -o "$image"
refuses 2 . checkpoint 0 -o "$image"
refuses 2 . checkpoint -5 -o "$image"
refuses 2 . checkpoint 99999999999999999999 -o "$image"
refuses 2 . restart
refuses 2 . restart "$image" "$image"
refuses 2 . restart --nonsense "$image"
refuses 2 . verify
refuses 2 . inspect
refuses 2 . inspect a b
check_no_image
dunlin --help > "$folder/help" || fail "--help ended with $?"
grep -q checkpoint "$folder/help" || fail "--help does not name checkpoint"
dunlin --version | grep -qE '[0-9]+\.[0-9]+' || fail "--version tells none"
snapshot after
compare before after
ends_well
