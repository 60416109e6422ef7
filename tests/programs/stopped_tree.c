/* SPDX-License-Identifier: BSD-3-Clause */
/* stopped_tree.c - a tree that is stopped as a whole
 *
 * stopped: yes
 * not: foreground (the shell would not know whom to continue)
 */
#include "victim.h"

static void child(void *arg)
{
	int depth = (int)(intptr_t)arg;
	pid_t pid = depth < 3 ? victim_fork(child, (void *)(intptr_t)(depth + 1)) : 0;

	victim_wait();
	if (pid)
		victim_join(pid);
}

int main(void)
{
	pid_t pids[3];

	for (int i = 0; i < 3; i++)
		pids[i] = victim_fork(child, NULL);
	victim_ready();
	/* tests/run waits for the stop, and continues the group in the end. */
	must(kill(0, SIGSTOP));
	victim_wait();
	for (int i = 0; i < 3; i++)
		victim_join(pids[i]);
	return victim_end();
}
