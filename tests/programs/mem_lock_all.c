/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_lock_all.c - mlockall: what is mapped later is locked as well, also only when touched */
#include "state.h"

static void verify(int how)
{
	char *later = map_private(MIB);
	char flags[256];

	smaps_flags(later, flags);
	NEED(strstr(flags, "lo"));
	NEED(resident_pages(later, MIB) == (how & MCL_ONFAULT ? 0 : MIB / PAGE));
	NEED(munmap(later, MIB) == 0);
}

static void all_at_once(void *unused)
{
	(void)unused;
	NEED(mlockall(MCL_CURRENT | MCL_FUTURE) == 0);
	victim_here();
	victim_wait();
	verify(0);
}

/* Nothing is mapped between this and the checkpoint: no memory is locked that would show it. */
static void future_alone(void *unused)
{
	(void)unused;
	NEED(mlockall(MCL_FUTURE) == 0);
	victim_here();
	victim_wait();
	verify(0);
}

int main(void)
{
	victim_gate();
	pid_t pid = victim_fork(all_at_once, NULL), other = victim_fork(future_alone, NULL);

	if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) < 0)
		victim_skip("not allowed to lock memory");
	verify(MCL_ONFAULT);
	victim_all_here(2);
	hold();
	verify(MCL_ONFAULT);
	NEED(munlockall() == 0);
	victim_join(pid);
	victim_join(other);
	return victim_end();
}
