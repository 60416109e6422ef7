/* SPDX-License-Identifier: BSD-3-Clause */
/* dumpable.c - processes that are not to be dumped (their /proc belongs to root then), and those that are
 *
 * not: user userns (an ordinary user may not look into a process that is not dumpable)
 */
#include "victim.h"

static void not_dumpable(void *arg)
{
	must(prctl(PR_SET_DUMPABLE, 0));
	victim_here();
	victim_wait();
	check(prctl(PR_GET_DUMPABLE) == 0, "dumpable: expected 0, got %d", prctl(PR_GET_DUMPABLE));
}

/* By a change of user, it depends on a sysctl what becomes of it. */
static void changed_user(void *arg)
{
	int before;

	if (geteuid() == 0)
		must(setresuid(1000, 1000, 1000));
	before = prctl(PR_GET_DUMPABLE);
	victim_here();
	victim_wait();
	check(prctl(PR_GET_DUMPABLE) == before, "dumpable: expected %d, got %d", before, prctl(PR_GET_DUMPABLE));
}

/* Of another user, and made dumpable again. */
static void again(void *arg)
{
	if (geteuid() == 0)
		must(setresuid(1000, 1000, 1000));
	must(prctl(PR_SET_DUMPABLE, 1));
	victim_here();
	victim_wait();
	check(prctl(PR_GET_DUMPABLE) == 1, "dumpable: expected 1, got %d", prctl(PR_GET_DUMPABLE));
}

int main(void)
{
	pid_t pids[3];

	victim_gate();
	pids[0] = victim_fork(not_dumpable, NULL);
	pids[1] = victim_fork(changed_user, NULL);
	pids[2] = victim_fork(again, NULL);
	victim_all_here(3);
	victim_ready();
	victim_wait();
	check(prctl(PR_GET_DUMPABLE) == 1, "dumpable of the parent: got %d", prctl(PR_GET_DUMPABLE));
	for (int i = 0; i < 3; i++)
		victim_join(pids[i]);
	return victim_end();
}
