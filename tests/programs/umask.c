/* SPDX-License-Identifier: BSD-3-Clause */
/* umask.c - file mode creation masks, of parent and child */
#include "victim.h"

static void child(void *arg)
{
	mode_t now;

	umask(0777);
	victim_here();
	victim_wait();
	now = umask(0);
	check(now == 0777, "umask of the child: expected 0777, got %o", now);
}

int main(void)
{
	mode_t now;
	pid_t pid;

	umask(0137);
	victim_gate();
	pid = victim_fork(child, NULL);
	victim_all_here(1);
	victim_ready();
	victim_wait();
	now = umask(022);
	check(now == 0137, "umask: expected 0137, got %o", now);
	victim_join(pid);
	return victim_end();
}
