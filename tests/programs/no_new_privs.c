/* SPDX-License-Identifier: BSD-3-Clause */
/* no_new_privs.c - set in a child, not in its parent */
#include "victim.h"

static void child(void *arg)
{
	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	victim_here();
	victim_wait();
	check(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1, "no_new_privs of the child is lost");
}

int main(void)
{
	pid_t pid;

	victim_gate();
	pid = victim_fork(child, NULL);
	victim_all_here(1);
	victim_ready();
	victim_wait();
	check(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0, "no_new_privs of the parent is set");
	victim_join(pid);
	return victim_end();
}
