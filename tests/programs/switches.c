/* SPDX-License-Identifier: BSD-3-Clause */
/* switches.c - prctl switches: rdtsc forbidden, machine checks, same-page merging; of a thread and of the others */
#include <stdatomic.h>

#include "victim.h"

#ifndef PR_SET_MEMORY_MERGE /* 6.4 */
#define PR_SET_MEMORY_MERGE 67
#define PR_GET_MEMORY_MERGE 68
#endif

static atomic_bool here;

static int machine_check(void)
{
	return prctl(PR_MCE_KILL_GET, 0, 0, 0, 0);
}

static bool rdtsc_faults(void)
{
	int how = 0;

	must(prctl(PR_GET_TSC, &how));
	return how == PR_TSC_SIGSEGV;
}

/* Has what the first thread has not. */
static void *other(void *arg)
{
	must(prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_LATE, 0, 0));
	must(prctl(PR_SET_TSC, PR_TSC_SIGSEGV));
	here = true;
	/* The clock is read by rdtsc, and the C library reads it often. */
	while (!victim_may_go())
		syscall(SYS_poll, NULL, 0, 10);
	check(rdtsc_faults(), "rdtsc is allowed in the thread");
	must(prctl(PR_SET_TSC, PR_TSC_ENABLE));
	check(machine_check() == PR_MCE_KILL_LATE, "machine checks in the thread: %d", machine_check());
	return NULL;
}

int main(void)
{
	bool merges = prctl(PR_SET_MEMORY_MERGE, 1, 0, 0, 0) == 0;
	pthread_t thread;

	must0(pthread_create(&thread, NULL, other, NULL));
	while (!here)
		victim_sleep_ms(1);
	can(prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0));
	victim_ready();
	victim_wait();
	check(!rdtsc_faults(), "rdtsc is forbidden in the first thread");
	check(machine_check() == PR_MCE_KILL_EARLY, "machine checks in the first thread: %d", machine_check());
	check(prctl(PR_GET_MEMORY_MERGE, 0, 0, 0, 0) == 1 || !merges, "equal pages are not merged any more");
	must0(pthread_join(thread, NULL));
	return victim_end();
}
