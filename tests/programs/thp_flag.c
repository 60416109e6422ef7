/* SPDX-License-Identifier: BSD-3-Clause */
/* thp_flag.c - PR_SET_THP_DISABLE, of a child */
#include "victim.h"

static void child(void *arg)
{
	can(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
	victim_here();
	victim_wait();
	check(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 1, "THP is enabled again");
}

int main(void)
{
	pid_t pid;

	victim_gate();
	pid = victim_fork(child, NULL);
	victim_all_here(1);
	victim_ready();
	victim_wait();
	check(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 0, "THP of the parent is disabled");
	victim_join(pid);
	return victim_end();
}
