/* SPDX-License-Identifier: BSD-3-Clause */
/* clocks.c - time goes on: no clock goes back, by system call or by vdso, and processor time is not lost */
#include "victim.h"

static const clockid_t clocks[] = { CLOCK_REALTIME,	   CLOCK_MONOTONIC,	   CLOCK_MONOTONIC_RAW,
				    CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME };

static double now(clockid_t clock, bool by_kernel)
{
	struct timespec t;

	if (by_kernel)
		must(syscall(SYS_clock_gettime, clock, &t));
	else
		must(clock_gettime(clock, &t));
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(void)
{
	double before[COUNT(clocks)];

	for (size_t i = 0; i < COUNT(clocks); i++)
		before[i] = now(clocks[i], false);
	victim_ready();
	victim_wait();
	for (size_t i = 0; i < COUNT(clocks); i++) {
		double a = now(clocks[i], false), b = now(clocks[i], true), c = now(clocks[i], false);

		/* Nobody sets the clock during the tests, but it may be adjusted a little. */
		check(a >= before[i] - 0.01, "clock %d went back by %.6f s", clocks[i], before[i] - a);
		check(a <= b + 0.01 && b <= c + 0.01, "clock %d: vdso and kernel differ: %.6f %.6f %.6f", clocks[i], a,
		      b, c);
	}
	return victim_end();
}
