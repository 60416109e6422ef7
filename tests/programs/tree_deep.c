/* SPDX-License-Identifier: BSD-3-Clause */
/* tree_deep.c - twenty generations, each waiting for the next, keep their pids and parents */
#include "victim.h"

#define DEPTH 20

static pid_t above[DEPTH + 1]; /* pids of all ancestors, the root first */

static void generation(void *arg)
{
	int depth = (int)(intptr_t)arg;
	pid_t me = getpid(), parent = getppid(), child;

	above[depth] = me;
	if (depth == DEPTH) {
		victim_here();
		victim_wait();
		for (int i = 0; i < DEPTH; i++)
			check(kill(above[i], 0) == 0, "ancestor %d is gone", above[i]);
		check(getppid() == above[depth - 1], "the parent: expected %d, got %d", above[depth - 1], getppid());
		return;
	}
	child = victim_fork(generation, (void *)(intptr_t)(depth + 1));
	if (depth == 0) {
		victim_all_here(1);
		victim_ready();
	}
	victim_join(child);
	check(getpid() == me, "pid: expected %d, got %d", me, getpid());
	check(victim_gettid() == me, "tid: expected %d, got %d", me, victim_gettid());
	/* The root's parent may be the one that restarted it. */
	if (depth > 0)
		check(getppid() == parent, "ppid: expected %d, got %d", parent, getppid());
}

int main(void)
{
	victim_gate();
	generation(NULL);
	return victim_end();
}
