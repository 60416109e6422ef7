/* SPDX-License-Identifier: BSD-3-Clause */
/* orphan_group.c - process groups whose leader is gone */
#include "victim.h"

static pid_t group;

static void member(void *arg)
{
	while (getpgrp() != group)
		victim_sleep_ms(1);
	victim_here();
	victim_wait();
	check(getpgrp() == group, "group: expected %d, got %d", group, getpgrp());
}

int main(void)
{
	pid_t first, second;
	int hold[2];

	must(pipe(hold));
	group = must(fork());
	if (group == 0) {
		char c;

		close(hold[1]);
		(void)!read(hold[0], &c, 1);
		_exit(0);
	}
	must(setpgid(group, group));
	victim_gate();
	first = victim_fork(member, NULL);
	second = victim_fork(member, NULL);
	must(setpgid(first, group));
	must(setpgid(second, group));
	victim_all_here(2);
	close(hold[0]);
	close(hold[1]);
	victim_sleep_ms(1);
	kill(group, SIGKILL);
	must(waitpid(group, NULL, 0));
	victim_ready();
	victim_wait();
	check(kill(group, 0) == -1 && errno == ESRCH, "the dead leader %d lives", group);
	check(kill(-group, 0) == 0, "group %d is gone", group);
	check(getpgid(first) == group, "first: expected group %d, got %d", group, getpgid(first));
	victim_join(first);
	victim_join(second);
	check(kill(-group, 0) == -1 && errno == ESRCH, "group %d is still there", group);
	return victim_end();
}
