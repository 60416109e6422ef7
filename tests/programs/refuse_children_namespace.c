/* SPDX-License-Identifier: BSD-3-Clause */
/* refuse_children_namespace.c - a process whose next child will be the first of a pid namespace
 *
 * refused: children of process
 */
#include "victim.h"

static void child(void *arg)
{
	check(getpid() == 1, "the child has the pid %d", getpid());
}

int main(void)
{
	can(unshare(CLONE_NEWPID));
	victim_ready();
	victim_wait();
	victim_join(victim_fork(child, NULL));
	return victim_end();
}
