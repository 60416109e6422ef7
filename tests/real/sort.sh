#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# sort.sh - sort with temporary files and two threads
# timeout: 240
. "$(dirname "$0")/lib.sh"
needs sort awk

prepare()
{
	mkdir temporary
	awk 'BEGIN { x = 42; for (i = 0; i < 3000000; i++) { x = (x * 16807) % 2147483647; printf "%010d line %d\n", x, i } }' > input
}

program()
{
	exec sort --parallel=2 -S 8M -T temporary -k3,3nr -k1,1 input -o output
}

result()
{
	sha256sum output
	ls temporary
}

real
