/* SPDX-License-Identifier: BSD-3-Clause */
/* subreaper.c - who adopts orphans: the attribute is kept, and works */
#include "victim.h"

static int leash[2];

/* Its child becomes an orphan once the leash is let go. */
static void parent_to_die(void *arg)
{
	pid_t reaper = getppid(), child = must(fork());
	char c;

	close(leash[1]);
	if (child)
		victim_here();
	check(read(leash[0], &c, 1) == 0, "reading the pipe: %s", strerror(errno));
	if (child)
		return; /* dies without waiting */
	for (int i = 0; i < 2000 && getppid() != reaper; i++)
		victim_sleep_ms(10);
	check(getppid() == reaper, "adopted by %d, not by the subreaper %d", getppid(), reaper);
	_exit(victim_end());
}

static void reaper(void *arg)
{
	int status, on = -1;
	pid_t first, pid;

	must(pipe(leash));
	must(prctl(PR_SET_CHILD_SUBREAPER, 1));
	first = victim_fork(parent_to_die, NULL);
	victim_here();
	victim_wait();
	must(prctl(PR_GET_CHILD_SUBREAPER, &on));
	check(on == 1, "child subreaper: expected 1, got %d", on);
	close(leash[0]);
	close(leash[1]);
	victim_join(first);
	pid = waitpid(-1, &status, 0);
	check(pid > 0 && status == 0, "the orphan: pid %d status %x", pid, status);
}

int main(void)
{
	int on = -1;
	pid_t pid;

	victim_gate();
	pid = victim_fork(reaper, NULL);
	victim_all_here(2);
	victim_ready();
	victim_wait();
	must(prctl(PR_GET_CHILD_SUBREAPER, &on));
	check(on == 0, "child subreaper of the root: expected 0, got %d", on);
	victim_join(pid);
	return victim_end();
}
