/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_vdso.c - the kernel's own pages: clocks read through the vdso go on and agree with system calls */
#include <sys/auxv.h>
#include <sys/time.h>

#include "state.h"

static const clockid_t clocks[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_MONOTONIC_COARSE,
				    CLOCK_TAI };

#define CLOCKS COUNT(clocks)

static int64_t ns(const struct timespec *t)
{
	return t->tv_sec * INT64_C(1000000000) + t->tv_nsec;
}

static void read_clocks(int64_t values[CLOCKS])
{
	for (size_t i = 0; i < CLOCKS; i++) {
		struct timespec called, read, called_again;

		NEED(syscall(SYS_clock_gettime, clocks[i], &called) == 0 && clock_gettime(clocks[i], &read) == 0 &&
		     syscall(SYS_clock_gettime, clocks[i], &called_again) == 0);
		NEED(ns(&called) <= ns(&read) && ns(&read) <= ns(&called_again));
		values[i] = ns(&read);
	}
}

int main(void)
{
	char *vdso = (char *)getauxval(AT_SYSINFO_EHDR);
	int64_t before[CLOCKS], after[CLOCKS];
	struct timespec coarse;
	struct timeval tv;
	char line[8192];

	if (!vdso)
		victim_skip("there is no vdso");
	read_clocks(before);

	hold();

	read_clocks(after);
	for (size_t i = 1; i < CLOCKS; i++)
		NEED(before[i] <= after[i]);
	NEED((char *)getauxval(AT_SYSINFO_EHDR) == vdso && !memcmp(vdso, "\177ELF", 4));
	maps_line(vdso, line, sizeof(line));
	NEED(strstr(line, "[vdso]"));
	NEED(gettimeofday(&tv, NULL) == 0 && tv.tv_sec >= after[0] / 1000000000);
	/* time() goes by the clock of the last tick. */
	NEED(syscall(SYS_clock_gettime, CLOCK_REALTIME_COARSE, &coarse) == 0 && time(NULL) >= coarse.tv_sec);
	NEED(sched_getcpu() >= 0);
	return victim_end();
}
