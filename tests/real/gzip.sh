#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# gzip.sh - gzip packs, into a pipe, from which another gzip unpacks
# timeout: 240
. "$(dirname "$0")/lib.sh"
needs gzip gcc

prepare()
{
	head -c 20000000 "$(gcc -print-prog-name=cc1)" > input
}

program()
{
	gzip -n -9 < input | tee packed.gz | gzip -dc | sha256sum
}

result()
{
	cat stdout
	sha256sum packed.gz input
}

real
