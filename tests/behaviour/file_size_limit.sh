#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# file_size_limit.sh - RLIMIT_FSIZE of dunlin: an error like others, not a death by SIGXFSZ
. "$TESTS/lib.sh"

start sleep_plain
dunlin()
{
	(ulimit -f 64 && TMPDIR=$folder/tmp exec "$DUNLIN" "$@")
}
checkpoint_fails 1 "too large|limit"
check_no_image
ends_well
