#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# sleep.sh - dunlin is killed while it takes threads in sleeps and waits of all kinds
# timeout: 300
. "$TESTS/kill/lib.sh"

storm torture_sleep 60
