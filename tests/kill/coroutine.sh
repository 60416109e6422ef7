#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# coroutine.sh - dunlin is killed while it takes a program on a small stack, whose main stack is all in use
# timeout: 300
. "$TESTS/kill/lib.sh"

storm mem_coroutine_deep 40
