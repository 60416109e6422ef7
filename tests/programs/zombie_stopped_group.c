/* SPDX-License-Identifier: BSD-3-Clause */
/* zombie_stopped_group.c - a stopped process whose group has no other member than the zombie that led it
 *
 * The end of a leader is SIGHUP and SIGCONT to what is stopped in a group that nobody of its session looks
 * after any more (_exit(2), "orphaned").  The leader here ended before its child was stopped.
 */
#include "victim.h"

static int number[2];

/* The leader's child, adopted by the root when the leader has ended. */
static void member(pid_t leader)
{
	while (getppid() == leader)
		victim_sleep_ms(1);
	victim_here();
	victim_wait();
	_exit(victim_end());
}

/* Its own session, in which the group is; the leader's parent. */
static void parent(void *arg)
{
	pid_t leader, follower;

	must(setsid());
	leader = must(fork());
	if (leader == 0) {
		must(setpgid(0, 0));
		leader = getpid();
		follower = must(fork());
		if (follower == 0)
			member(leader);
		must(write(number[1], &follower, sizeof(follower)));
		_exit(0);
	}
	victim_await_state(leader, 'Z');
	victim_here();
	victim_wait();
	victim_join(leader);
}

int main(void)
{
	pid_t child, follower;
	siginfo_t info = { 0 };

	must(prctl(PR_SET_CHILD_SUBREAPER, 1));
	must(pipe(number));
	victim_gate();
	child = victim_fork(parent, NULL);
	must(read(number[0], &follower, sizeof(follower)));
	close(number[0]);
	close(number[1]);
	victim_all_here(2);
	must(kill(follower, SIGSTOP));
	victim_await_state(follower, 'T');
	victim_ready();
	victim_wait();
	must(waitid(P_PID, (id_t)follower, &info, WSTOPPED | WNOHANG | WNOWAIT));
	check(info.si_pid == follower && info.si_status == SIGSTOP, "the member is not stopped any more");
	must(kill(follower, SIGCONT));
	victim_join(follower);
	victim_join(child);
	return victim_end();
}
