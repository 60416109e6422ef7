/* SPDX-License-Identifier: BSD-3-Clause */
/* refuse_shared_sibling.c - brothers in one address space (CLONE_PARENT | CLONE_VM), which nobody shares with their
 * parent
 *
 * refused: process [0-9]+ shares its memory .* process
 */
#include "victim.h"

static char stack[65536];
static volatile int value;

static int brother(void *arg)
{
	victim_here();
	victim_wait();
	value = 42;
	return 0;
}

static void child(void *arg)
{
	must(clone(brother, stack + sizeof(stack), CLONE_PARENT | CLONE_VM | SIGCHLD, NULL));
	victim_wait();
	for (int i = 0; i < 200 && value != 42; i++)
		victim_sleep_ms(10);
	check(value == 42, "what the brother wrote: expected 42, got %d", value);
}

int main(void)
{
	pid_t pid, other;

	victim_gate();
	pid = victim_fork(child, NULL);
	victim_all_here(1);
	victim_ready();
	victim_wait();
	victim_join(pid);
	other = wait(NULL);
	check(other > 0, "there is no second child: %s", strerror(errno));
	return victim_end();
}
