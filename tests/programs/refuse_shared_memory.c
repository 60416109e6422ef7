/* SPDX-License-Identifier: BSD-3-Clause */
/* refuse_shared_memory.c - two processes in one address space (CLONE_VM without CLONE_THREAD)
 *
 * refused: address space|memory
 */
#include "victim.h"

static volatile int value;

static int child(void *arg)
{
	victim_wait();
	value = 42;
	return 0;
}

int main(void)
{
	static char stack[65536];
	pid_t pid = must(clone(child, stack + sizeof(stack), CLONE_VM | SIGCHLD, NULL));

	victim_ready();
	victim_wait();
	victim_join(pid);
	check(value == 42, "what the child wrote: expected 42, got %d", value);
	return victim_end();
}
