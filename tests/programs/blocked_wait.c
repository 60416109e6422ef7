/* SPDX-License-Identifier: BSD-3-Clause */
/* blocked_wait.c - wait4 and waitid, for one child, a group, and any */
#include "blocked.h"

static pid_t children[4];

static void child(void *arg)
{
	setpgid(0, 0);
	victim_wait();
	_exit(20 + (int)(intptr_t)arg);
}

static void run_wait4(struct blocked *b)
{
	int status = -1;
	pid_t wanted = b->argument == 1 ? -children[1] : children[b->argument];
	pid_t got = waitpid(wanted, &status, 0);

	check(got == children[b->argument], "%s: expected %d, got %d (%s)", b->name, children[b->argument], got,
	      strerror(errno));
	check(WIFEXITED(status) && WEXITSTATUS(status) == 20 + b->argument, "%s: status %x", b->name, status);
}

static void run_waitid(struct blocked *b)
{
	siginfo_t info = { 0 };
	int r = waitid(b->argument == 2 ? P_PID : P_PGID, (id_t)children[b->argument], &info, WEXITED);

	check(r == 0, "%s: %s", b->name, strerror(errno));
	check(info.si_pid == children[b->argument] && info.si_status == 20 + b->argument, "%s: pid %d, status %d",
	      b->name, info.si_pid, info.si_status);
}

static struct blocked all[] = {
	{ "wait4 of a child", SYS_wait4, run_wait4, 0 },
	{ "wait4 of a group", SYS_wait4, run_wait4, 1 },
	{ "waitid of a child", SYS_waitid, run_waitid, 2 },
	{ "waitid of a group", SYS_waitid, run_waitid, 3 },
};

int main(void)
{
	for (intptr_t i = 0; i < 4; i++) {
		children[i] = victim_fork(child, (void *)i);
		setpgid(children[i], children[i]);
	}
	blocked_start(all, COUNT(all));
	victim_ready();
	blocked_join(all, COUNT(all));
	check(wait(NULL) == -1 && errno == ECHILD, "there are more children than before");
	return victim_end();
}
