#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# births.sh - dunlin is killed while it takes a program whose processes and threads begin and end all the time
# timeout: 300
. "$TESTS/kill/lib.sh"

storm torture_births 40
