/* SPDX-License-Identifier: BSD-3-Clause */
/* refuse_shared_files.c - two processes with one table of descriptors (CLONE_FILES)
 *
 * refused: descriptor
 */
#include "victim.h"

static int child(void *arg)
{
	victim_wait();
	return dup2(1, 77) == 77 ? 0 : 1;
}

int main(void)
{
	static char stack[65536];
	pid_t pid = must(clone(child, stack + sizeof(stack), CLONE_FILES | SIGCHLD, NULL));

	victim_ready();
	victim_wait();
	victim_join(pid);
	check(fcntl(77, F_GETFD) == 0, "the child's descriptor is not the parent's: %s", strerror(errno));
	return victim_end();
}
