/* SPDX-License-Identifier: BSD-3-Clause */
/* deadlines.c - threads that wait for a moment by the clocks that count from the start of the machine
 *
 * For tests/behaviour/other_clocks.sh, where these clocks are others after the restart.
 *
 * only: none twice
 * unsettled: all (threads end by themselves)
 */
#include <linux/futex.h>

#include "blocked.h"

#define SECONDS 2

static struct timespec deadline(clockid_t clock)
{
	struct timespec t;

	must(clock_gettime(clock, &t));
	t.tv_sec += SECONDS;
	return t;
}

static void by_sleep(struct blocked *b)
{
	struct timespec t = deadline(b->argument);
	int r = clock_nanosleep(b->argument, TIMER_ABSTIME, &t, NULL);

	check(r == 0, "%s: %s", b->name, strerror(r));
}

static void by_futex(struct blocked *b)
{
	static uint32_t word;
	struct timespec t = deadline(CLOCK_MONOTONIC);
	long r = syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, 0, &t, NULL, FUTEX_BITSET_MATCH_ANY);

	check(r == -1 && errno == ETIMEDOUT, "%s: %ld (%s)", b->name, r, strerror(errno));
}

int main(void)
{
	struct blocked all[] = {
		{ "monotonic", SYS_clock_nanosleep, by_sleep, CLOCK_MONOTONIC },
		{ "boottime", SYS_clock_nanosleep, by_sleep, CLOCK_BOOTTIME },
		{ "futex", SYS_futex, by_futex },
	};

	blocked_start(all, COUNT(all));
	victim_ready();
	blocked_join(all, COUNT(all));
	victim_wait();
	return victim_end();
}
