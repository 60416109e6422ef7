#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# static.sh - a statically linked C program without threads
# timeout: 240
. "$(dirname "$0")/lib.sh"
needs gcc

prepare()
{
	cat > program.c <<-'END'
		#include <stdint.h>
		#include <stdio.h>
		#include <stdlib.h>
		#include <time.h>

		/* How often each length of a Collatz sequence occurs. */
		int main(void)
		{
			static unsigned int count[1000];
			struct timespec begin, now;

			clock_gettime(CLOCK_MONOTONIC, &begin);
			for (uint64_t start = 1; start < 10000000; start++) {
				unsigned int length = 0;

				for (uint64_t n = start; n != 1; n = n % 2 ? 3 * n + 1 : n / 2)
					length++;
				count[length]++;
				if (start % 500000 == 0) {
					char *line = NULL;

					clock_gettime(CLOCK_MONOTONIC, &now);
					if (now.tv_sec < begin.tv_sec || asprintf(&line, "%ju\n", (uintmax_t)start) < 0)
						abort();
					fputs(line, stdout);
					free(line);
				}
			}
			for (int i = 0; i < 1000; i++)
				printf("%d %u\n", i, count[i]);
			return 0;
		}
	END
	gcc -O2 -D_GNU_SOURCE -static -o program program.c
}

program()
{
	exec ./program
}

real
