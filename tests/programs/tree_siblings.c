/* SPDX-License-Identifier: BSD-3-Clause */
/* tree_siblings.c - children made by CLONE_PARENT, and exit signals other than SIGCHLD */
#include "victim.h"

static void idle(void)
{
	pid_t parent = getppid();

	victim_here();
	victim_wait();
	check(getppid() == parent, "ppid: expected %d, got %d", parent, getppid());
	_exit(victim_end());
}

/* Its sibling is born by it but is its parent's child. */
static void maker(void *arg)
{
	pid_t sibling = (pid_t)must(syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0));

	if (sibling == 0)
		idle();
	victim_here();
	victim_wait();
	errno = 0;
	check(waitpid(sibling, NULL, WNOHANG) == -1 && errno == ECHILD, "the sibling became a child");
}

static void handler(int sig)
{
}

int main(void)
{
	pid_t quiet, loud, first;
	int status;

	signal(SIGUSR1, handler);
	victim_gate();
	first = victim_fork(maker, NULL);
	quiet = (pid_t)must(syscall(SYS_clone, 0, 0, 0, 0, 0));
	if (quiet == 0)
		idle();
	loud = (pid_t)must(syscall(SYS_clone, SIGUSR1, 0, 0, 0, 0));
	if (loud == 0)
		idle();
	victim_all_here(4);
	victim_ready();
	victim_wait();
	victim_join(first);
	/* Children with another exit signal are "clone" children: not to be seen by a plain wait. */
	check(waitpid(quiet, &status, 0) == -1 && errno == ECHILD, "the child without exit signal has one now");
	check(waitpid(loud, &status, 0) == -1 && errno == ECHILD, "the child with SIGUSR1 has SIGCHLD now");
	check(waitpid(quiet, &status, __WCLONE) == quiet && status == 0, "quiet child: status %x", status);
	while (waitpid(loud, &status, __WCLONE) == -1 && errno == EINTR)
		;
	check(status == 0, "loud child: status %x", status);
	check(wait(&status) > 0 && status == 0, "the sibling: status %x", status);
	return victim_end();
}
