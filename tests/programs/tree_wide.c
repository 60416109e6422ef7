/* SPDX-License-Identifier: BSD-3-Clause */
/* tree_wide.c - three hundred children keep pids, parent and their own copy of memory */
#include "victim.h"

#define CHILDREN 300

static pid_t pids[CHILDREN];
static int number = -1; /* copy-on-write: another one in each child */
static int leash[2];

static void child(void *arg)
{
	pid_t me = getpid(), parent = getppid();
	char c;

	number = (int)(intptr_t)arg;
	close(leash[1]);
	victim_here();
	check(read(leash[0], &c, 1) == 0, "reading the pipe: %s", strerror(errno));
	check(getpid() == me, "pid: expected %d, got %d", me, getpid());
	check(getppid() == parent, "ppid: expected %d, got %d", parent, getppid());
	check(number == (int)(intptr_t)arg, "number: expected %d, got %d", (int)(intptr_t)arg, number);
	for (int i = 0; i < number; i++)
		check(pids[i] != 0, "pid of sibling %d is lost", i);
}

int main(void)
{
	must(pipe(leash));
	victim_gate();
	for (int i = 0; i < CHILDREN; i++)
		pids[i] = victim_fork(child, (void *)(intptr_t)i);
	close(leash[0]);
	victim_all_here(CHILDREN);
	victim_ready();
	victim_wait();
	close(leash[1]);
	for (int i = 0; i < CHILDREN; i++)
		victim_join(pids[i]);
	check(number == -1, "number: expected -1, got %d", number);
	return victim_end();
}
