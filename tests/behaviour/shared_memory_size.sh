#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# shared_memory_size.sh - memory that is shared, untouched or zero does not count twice in the image
set -u
cd "$FOLDER" || exit 1

fail()
{
	echo "FAILED: $*"
	exit 1
}

# image_of PROGRAM LIMIT: its image must be smaller than so many MiB.
image_of()
{
	local pid size i

	mkdir "$1"
	VICTIM_DIR=$FOLDER/$1 setsid "$BUILD/tests/programs/$1" < /dev/null &
	pid=$!
	for ((i = 0; i < 3000; i++)); do
		[ -e "$1/ready" ] && break
		sleep 0.01
	done
	[ -e "$1/ready" ] || fail "$1 does not start"
	"$DUNLIN" checkpoint "$pid" -o "$1/image" || fail "checkpoint of $1 ended with $?"
	: > "$1/go"
	wait "$pid" || fail "$1 ended with $?"
	size=$(stat -c %s "$1/image")
	echo "$1: $((size >> 20)) MiB"
	[ "$size" -lt $(($2 << 20)) ] || fail "the image of $1 has $size bytes, more than $2 MiB"
	rm "$1/image"
}

image_of mem_cow 110		# six processes that have 100 MiB
image_of mem_shared 22		# three that share 16 MiB
image_of mem_reserve 12		# 8 TiB, of which little is touched
image_of mem_memfd_sparse 12	# 64 GiB, likewise
image_of mem_anon 12		# pages full of zeros
