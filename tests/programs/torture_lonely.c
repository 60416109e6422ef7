/* SPDX-License-Identifier: BSD-3-Clause */
/* torture_lonely.c - one process, one thread, a pipe and brief sleeps
 *
 * The hardest to help when dunlin is killed at the wrong moment: there is no other thread.
 */
#include "victim.h"

int main(void)
{
	struct timespec t = { 0, 2000000 };
	unsigned long sum = 0, count = 0;
	int ends[2];

	must(pipe(ends));
	victim_ready();
	while (!victim_may_go()) {
		unsigned long got = 0;
		int r;

		must(write(ends[1], &count, sizeof(count)));
		r = nanosleep(&t, NULL);
		check(r == 0, "nanosleep: %s", strerror(errno));
		check(read(ends[0], &got, sizeof(got)) == sizeof(got), "read: %s", strerror(errno));
		check(got == count, "pipe: expected %lu, got %lu", count, got);
		sum += got;
		count++;
		check(sum == count * (count - 1) / 2, "sum: %lu after %lu rounds", sum, count);
	}
	return victim_end();
}
