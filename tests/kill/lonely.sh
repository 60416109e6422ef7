#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# lonely.sh - dunlin is killed while it takes a single-threaded program with a pipe and brief sleeps
# timeout: 300
. "$TESTS/kill/lib.sh"

storm torture_lonely 80
