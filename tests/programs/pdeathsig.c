/* SPDX-License-Identifier: BSD-3-Clause */
/* pdeathsig.c - the signal at the parent's death: the attribute is kept, and works */
#include "victim.h"

static int leash[2];
static volatile sig_atomic_t orphaned;

static void on_death(int sig)
{
	orphaned = sig;
}

static void middle(void *arg)
{
	pid_t child = must(fork());
	int sig = -1;
	char c;

	if (child) {
		close(leash[1]);
		victim_here();
		check(read(leash[0], &c, 1) == 0, "reading the pipe: %s", strerror(errno));
		return; /* the child becomes an orphan */
	}
	close(leash[0]);
	close(leash[1]);
	signal(SIGUSR1, on_death);
	must(prctl(PR_SET_PDEATHSIG, SIGUSR1));
	victim_here();
	victim_wait();
	must(prctl(PR_GET_PDEATHSIG, &sig));
	check(sig == SIGUSR1, "parent death signal: expected %d, got %d", SIGUSR1, sig);
	for (int i = 0; i < 2000 && !orphaned; i++)
		usleep(10000);
	check(orphaned == SIGUSR1, "the parent died and no signal came");
	_exit(victim_end());
}

int main(void)
{
	int status, sig = -1;
	pid_t pid;

	must(prctl(PR_SET_CHILD_SUBREAPER, 1));
	must(pipe(leash));
	victim_gate();
	pid = victim_fork(middle, NULL);
	victim_all_here(2);
	victim_ready();
	victim_wait();
	must(prctl(PR_GET_PDEATHSIG, &sig));
	check(sig == 0, "parent death signal of the root: expected 0, got %d", sig);
	close(leash[0]);
	close(leash[1]);
	victim_join(pid);
	check(wait(&status) > 0 && status == 0, "the orphan: status %x", status);
	return victim_end();
}
