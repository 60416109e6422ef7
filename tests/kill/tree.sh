#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# tree.sh - dunlin is killed while it takes twenty generations of processes, each waiting for the next
# timeout: 300
. "$TESTS/kill/lib.sh"

storm tree_deep 40
