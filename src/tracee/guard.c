/* SPDX-License-Identifier: BSD-3-Clause */
/* guard.c - all processes or none, should dunlin be killed while it ends them or lets them go
 *
 * Many processes cannot be killed, or be let live (EXITKILL, which is taken off thread by thread), in one step.
 * A dunlin that dies in between would leave half a program running.  So a second process looks on: it holds
 * the end of a pipe whose other end is dunlin's only, and finishes what dunlin has begun when that closes.  It is
 * in a session of its own, out of reach of what kills dunlin's process group.
 */
#include "tracee/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/util.h"
#include "image/quiet.h"

/* In a copy of dunlin, whose other threads may have held any lock: system calls only. */
static void __attribute__((noreturn)) stand_guard(int pipe, struct dn_process **p, size_t n)
{
	bool armed = false;
	char c;
	ssize_t got;

	syscall(SYS_setsid);
	do {
		got = syscall(SYS_read, pipe, &c, 1);
		armed = armed || got == 1;
	} while (got == 1 || (got < 0 && errno == EINTR));
	/* Parents first, as they might tell of the death of their children. */
	for (size_t i = 0; armed && i < n; i++)
		if (!p[i]->zombie)
			syscall(SYS_pidfd_send_signal, p[i]->pidfd, SIGKILL, NULL, 0);
	for (;;)
		syscall(SYS_exit_group, 0);
}

int dn_guard_start(struct dn_guard *g, struct dn_process **p, size_t n, struct dn_error *err)
{
	struct clone_args args = { .exit_signal = SIGCHLD };
	sigset_t all, before;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return dn_error_set(err, -errno, "cannot set up a pipe");
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	long child = syscall(SYS_clone3, &args, sizeof(args));
	if (child == 0) {
		close(ends[1]);
		stand_guard(ends[0], p, n);
	}
	int code = -errno;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	close(ends[0]);
	if (child < 0) {
		close(ends[1]);
		return dn_error_set(err, code, "cannot start a process");
	}
	g->pid = (pid_t)child;
	g->pipe = ends[1];
	return 0;
}

int dn_guard_arm(struct dn_guard *g, struct dn_error *err)
{
	int r = dn_write_quietly(g->pipe, "a", 1, -1);
	return r < 0 ? dn_error_set(err, r, "cannot write to a pipe") : 0;
}

/* By a signal, which needs no memory: the guard takes whatever else happens to the pipe for dunlin's death. */
void dn_guard_end(struct dn_guard *g)
{
	if (g->pid > 0) {
		kill(g->pid, SIGKILL);
		while (waitpid(g->pid, NULL, __WALL) < 0 && errno == EINTR)
			;
	}
	if (g->pipe >= 0)
		close(g->pipe);
	*g = (struct dn_guard)DN_GUARD_INIT;
}
