#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# compute.sh - dunlin is killed while it takes threads that compute without system calls
# timeout: 300
. "$TESTS/kill/lib.sh"

storm torture_compute 60
