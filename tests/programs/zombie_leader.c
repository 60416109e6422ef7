/* SPDX-License-Identifier: BSD-3-Clause */
/* zombie_leader.c - a zombie that leads a session and groups with living members */
#include "victim.h"

/* The dead leader's child, adopted by the root. */
static void member(pid_t leader)
{
	while (getppid() == leader)
		victim_sleep_ms(1);
	victim_here();
	victim_wait();
	check(getsid(0) == leader, "session: expected %d, got %d", leader, getsid(0));
	check(getpgrp() == leader, "group: expected %d, got %d", leader, getpgrp());
	check(kill(leader, 0) == 0, "the zombie is gone: %s", strerror(errno));
	_exit(victim_end());
}

int main(void)
{
	pid_t leader, follower;
	int status, number[2];

	must(prctl(PR_SET_CHILD_SUBREAPER, 1));
	must(pipe(number));
	victim_gate();
	leader = must(fork());
	if (leader == 0) {
		leader = must(setsid());
		follower = must(fork());
		if (follower == 0)
			member(leader);
		must(write(number[1], &follower, sizeof(follower)));
		_exit(42);
	}
	must(read(number[0], &follower, sizeof(follower)));
	close(number[0]);
	close(number[1]);
	victim_all_here(1);
	victim_await_state(leader, 'Z');
	victim_ready();
	victim_wait();
	/* The member looks for the zombie: it is to be reaped last. */
	victim_join(follower);
	check(waitpid(leader, &status, WNOHANG) == leader, "the leader is no zombie any more");
	check(WIFEXITED(status) && WEXITSTATUS(status) == 42, "leader: status %x", status);
	return victim_end();
}
