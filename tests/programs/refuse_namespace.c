/* SPDX-License-Identifier: BSD-3-Clause */
/* refuse_namespace.c - a child in namespaces of its own
 *
 * refused: namespace
 */
#include "victim.h"

static void child(void *arg)
{
	can(unshare(CLONE_NEWUTS | CLONE_NEWIPC));
	must(sethostname("elsewhere", 9));
	victim_here();
	victim_wait();
	{
		char name[64] = "";

		gethostname(name, sizeof(name));
		check(strcmp(name, "elsewhere") == 0, "host name: %s", name);
	}
}

int main(void)
{
	pid_t pid;

	victim_gate();
	pid = victim_fork(child, NULL);
	victim_all_here(1);
	victim_ready();
	victim_wait();
	victim_join(pid);
	return victim_end();
}
