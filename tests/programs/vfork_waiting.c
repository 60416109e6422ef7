/* SPDX-License-Identifier: BSD-3-Clause */
/* vfork_waiting.c - a parent that waits in the kernel for the child of a vfork, where nobody can stop it
 *
 * fails: vfork
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
