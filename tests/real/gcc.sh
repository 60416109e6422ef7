#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# gcc.sh - make runs two compilers at a time, over some of the sources of these tests
# timeout: 240
. "$(dirname "$0")/lib.sh"
needs gcc make
[ -d "$TESTS/programs" ] || exit 1
export TESTS

prepare()
{
	cat > Makefile <<-'END'
		.RECIPEPREFIX := >
		sources := $(wildcard $(TESTS)/programs/mem_[a-l]*.c)
		objects := $(patsubst $(TESTS)/programs/%.c,%.o,$(sources))
		all: $(objects)
		%.o: $(TESTS)/programs/%.c
		> $(CC) -std=gnu17 -D_GNU_SOURCE -O3 -pipe -w -c -o $@ $<
	END
}

program()
{
	exec make -j 2
}

result()
{
	sha256sum -- *.o
}

real
