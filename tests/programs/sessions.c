/* SPDX-License-Identifier: BSD-3-Clause */
/* sessions.c - sessions and process groups, made before and after the birth of children */
#include "victim.h"

static void verify(pid_t sid, pid_t pgid)
{
	check(getsid(0) == sid, "session: expected %d, got %d", sid, getsid(0));
	check(getpgrp() == pgid, "group: expected %d, got %d", pgid, getpgrp());
}

/* Lives in what it was born into, or in the group it is put into from outside. */
static void follower(void *arg)
{
	pid_t sid = getsid(0), pgid;

	if (arg)
		while (getpgrp() == getppid())
			victim_sleep_ms(1);
	pgid = getpgrp();
	victim_here();
	victim_wait();
	verify(sid, pgid);
}

/* One child before its setsid, one after, one that leads a group that the eldest of them joins. */
static void leader(void *arg)
{
	pid_t old = getsid(0), before, after, group, joined;

	before = victim_fork(follower, NULL);
	must(setsid());
	after = victim_fork(follower, NULL);
	joined = victim_fork(follower, "joins");
	group = must(fork());
	if (group == 0) {
		must(setpgid(0, 0));
		victim_here();
		victim_wait();
		verify(getppid(), getpid());
		_exit(victim_end());
	}
	must(setpgid(group, group));
	must(setpgid(joined, group));
	victim_here();
	victim_wait();
	verify(getpid(), getpid());
	check(getsid(before) == old, "the child born before setsid moved along");
	check(getsid(after) == getpid(), "the child born after setsid: session %d", getsid(after));
	check(getpgid(joined) == group, "joined: expected group %d, got %d", group, getpgid(joined));
	victim_join(before);
	victim_join(after);
	victim_join(joined);
	victim_join(group);
	/* Still a leader: it cannot become one again. */
	check(setsid() == -1 && errno == EPERM, "setsid again: %s", strerror(errno));
}

/* The parent lives in the group of its own child. */
static void below(void *arg)
{
	pid_t child = must(fork());

	if (child == 0) {
		must(setpgid(0, 0));
		victim_here();
		victim_wait();
		verify(getsid(getppid()), getpid());
		_exit(victim_end());
	}
	must(setpgid(child, child));
	must(setpgid(0, child));
	victim_here();
	victim_wait();
	check(getpgrp() == child, "group: expected %d, got %d", child, getpgrp());
	victim_join(child);
}

int main(void)
{
	pid_t sid = getsid(0), pgid = getpgrp(), a, b;

	victim_gate();
	a = victim_fork(leader, NULL);
	b = victim_fork(below, NULL);
	victim_all_here(7);
	victim_ready();
	victim_wait();
	verify(sid, pgid);
	victim_join(a);
	victim_join(b);
	return victim_end();
}
