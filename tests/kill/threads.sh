#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# threads.sh - dunlin is killed while it takes threads and processes that hand a token around
# timeout: 300
. "$TESTS/kill/lib.sh"

storm torture_threads 50
