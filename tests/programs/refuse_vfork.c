/* SPDX-License-Identifier: BSD-3-Clause */
/* refuse_vfork.c - two processes in one address space, of which the parent waits for the child (vfork)
 *
 * refused: address space|memory|vfork
 */
#include "victim.h"

static volatile int value;

int main(void)
{
	pid_t pid = must(vfork());

	if (pid == 0) {
		victim_ready();
		victim_wait();
		value = 42;
		_exit(0);
	}
	check(value == 42, "what the child wrote: expected 42, got %d", value);
	victim_join(pid);
	return victim_end();
}
