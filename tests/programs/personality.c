/* SPDX-License-Identifier: BSD-3-Clause */
/* personality.c - the execution domain */
#include <sys/personality.h>

#include "victim.h"

static void child(void *arg)
{
	int now;

	must(personality((unsigned long)(uintptr_t)arg));
	victim_here();
	victim_wait();
	now = personality(0xffffffff);
	check(now == (int)(uintptr_t)arg, "personality: expected %lx, got %x", (unsigned long)(uintptr_t)arg, now);
}

int main(void)
{
	int before = personality(0xffffffff);
	pid_t pids[2];

	victim_gate();
	pids[0] = victim_fork(child, (void *)(uintptr_t)ADDR_NO_RANDOMIZE);
	pids[1] = victim_fork(child, (void *)(uintptr_t)(UNAME26 | ADDR_COMPAT_LAYOUT | STICKY_TIMEOUTS));
	victim_all_here(2);
	victim_ready();
	victim_wait();
	check(personality(0xffffffff) == before, "personality of the parent changed");
	victim_join(pids[0]);
	victim_join(pids[1]);
	return victim_end();
}
