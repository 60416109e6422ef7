#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# signals.sh - dunlin is killed while it takes a process that is showered with signals
# timeout: 300
. "$TESTS/kill/lib.sh"

storm torture_signals 60
