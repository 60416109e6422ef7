#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# xz.sh - xz with two threads compresses a compiler
# timeout: 240
. "$(dirname "$0")/lib.sh"
needs xz gcc

prepare()
{
	head -c 9000000 "$(gcc -print-prog-name=cc1)" > input
}

program()
{
	exec xz -6 -T 2 --block-size=2MiB -k -c input
}

result()
{
	xz -dc stdout | cmp - input && sha256sum stdout
}

real
