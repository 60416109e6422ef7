/* SPDX-License-Identifier: BSD-3-Clause */
/* orphan_session.c - a session whose leader is gone, its members adopted by a subreaper */
#include "victim.h"

static void member(pid_t sid, bool own_group)
{
	pid_t pgid = sid;

	if (own_group) {
		must(setpgid(0, 0));
		pgid = getpid();
	}
	while (getppid() == sid)
		victim_sleep_ms(1);
	victim_here();
	victim_wait();
	check(getsid(0) == sid, "session: expected %d, got %d", sid, getsid(0));
	check(getpgrp() == pgid, "group: expected %d, got %d", pgid, getpgrp());
	_exit(victim_end());
}

static void leader(void *arg)
{
	pid_t sid = must(setsid());

	for (int i = 0; i < 2; i++)
		if (must(fork()) == 0)
			member(sid, i == 1);
}

int main(void)
{
	int status;

	must(prctl(PR_SET_CHILD_SUBREAPER, 1));
	victim_gate();
	victim_join(victim_fork(leader, NULL));
	victim_all_here(2);
	victim_ready();
	victim_wait();
	for (int i = 0; i < 2; i++) {
		pid_t pid = must(wait(&status));

		check(status == 0, "orphan %d: status %x", pid, status);
	}
	check(wait(&status) == -1 && errno == ECHILD, "more children than there should be");
	return victim_end();
}
