/* SPDX-License-Identifier: BSD-3-Clause */
/* accompany.c - a restart in the foreground: what happens to dunlin happens to the program, and back
 *
 * Theory of operation: a program mostly has a process group of its own, so dunlin is to it what a shell is to
 * its jobs.  Where dunlin is in the foreground of the terminal, it lets the program be that: the library does so
 * before the program runs, or in a pipeline, where others may need the terminal, dunlin when the program asks for
 * it by stopping with SIGTTIN or SIGTTOU.  When the program stops, so does dunlin with all of its own group, for the
 * shell above to see; when dunlin is continued, it hands over the terminal again and continues the program.
 * Signals that come to dunlin from the terminal go to the program's group, others to the root alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"

static bool in_foreground(const struct dn_company *c)
{
	return c->tty >= 0 && tcgetpgrp(c->tty) == getpgrp();
}

void dn_company_init(struct dn_company *c)
{
	*c = (struct dn_company){ .tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC) };
	c->given = in_foreground(c);
	/* From here on they are the program's: what comes while it is built is passed on afterwards. */
	sigfillset(&c->signals);
	sigdelset(&c->signals, SIGSEGV);
	sigdelset(&c->signals, SIGBUS);
	sigdelset(&c->signals, SIGILL);
	sigdelset(&c->signals, SIGFPE);
	sigdelset(&c->signals, SIGABRT);
	sigprocmask(SIG_BLOCK, &c->signals, NULL);
}

/* Is there a process group of the program's other than dunlin's own? */
static bool has_group(struct dn_company *c)
{
	if (c->front <= 0 || kill(-c->front, 0) < 0)
		c->front = getpgid(c->pid);
	return c->front > 0 && c->front != getpgrp() && kill(-c->front, 0) == 0;
}

static void signal_program(struct dn_company *c, int sig)
{
	if (has_group(c))
		kill(-c->front, sig);
	/* The group in the foreground need not be the root's. */
	if (!has_group(c) || getpgid(c->pid) != c->front)
		kill(c->pid, sig);
}

/* Ends as the program ended. */
static void __attribute__((noreturn)) end_like(struct dn_company *c, int status)
{
	if (c->given && !in_foreground(c))
		tcsetpgrp(c->tty, getpgrp());
	if (WIFEXITED(status))
		exit(WEXITSTATUS(status));
	const struct rlimit no_core = {};
	sigset_t one;
	setrlimit(RLIMIT_CORE, &no_core);
	signal(WTERMSIG(status), SIG_DFL);
	sigemptyset(&one);
	sigaddset(&one, WTERMSIG(status));
	raise(WTERMSIG(status));
	sigprocmask(SIG_UNBLOCK, &one, NULL);
	exit(128 + WTERMSIG(status));
}

static void go_on(struct dn_company *c)
{
	c->given = in_foreground(c) && has_group(c) && tcsetpgrp(c->tty, c->front) == 0;
	signal_program(c, SIGCONT);
}

/* Takes a signal that is blocked, should it be pending: by what it does to a process by default, or away. */
static void take_signal(int sig, bool away)
{
	sigset_t one;

	sigemptyset(&one);
	sigaddset(&one, sig);
	if (away) {
		sigtimedwait(&one, NULL, &(struct timespec){});
	} else {
		sigprocmask(SIG_UNBLOCK, &one, NULL);
		sigprocmask(SIG_BLOCK, &one, NULL);
	}
}

/* Stops when the program stops, goes on when it is told to go on. */
static void stop_like(struct dn_company *c, int sig)
{
	bool asks = sig == SIGTTIN || sig == SIGTTOU;

	if (asks && in_foreground(c) && has_group(c)) {
		go_on(c);
		return;
	}
	if (c->given && tcgetpgrp(c->tty) > 0 && !in_foreground(c))
		c->front = tcgetpgrp(c->tty); /* a shell may have brought another of its jobs there */
	c->given = false;
	/* The terminal stops groups as a whole.  It cannot stop one whose shell is gone: that goes on at once. */
	if ((asks || sig == SIGTSTP) && has_group(c))
		kill(0, sig);
	if (sig == SIGTSTP && has_group(c))
		take_signal(SIGTSTP, false);
	else
		raise(SIGSTOP);
	take_signal(sig, true);
	take_signal(SIGTSTP, true);
	take_signal(SIGCONT, true);
	go_on(c);
}

static void pass_on(struct dn_company *c, const siginfo_t *info)
{
	int sig = info->si_signo;
	pid_t group = getpgid(c->pid);

	if (sig == SIGCONT) {
		go_on(c);
	} else if (info->si_code == SI_KERNEL && has_group(c)) {
		/* In another session it is nobody's job, and only this one can stop it. */
		kill(-c->front, sig == SIGTSTP && getsid(c->pid) != getsid(0) ? SIGSTOP : sig);
	} else if (info->si_code != SI_KERNEL || group != getpgrp()) {
		kill(c->pid, sig);
	} /* else the terminal has sent it to the program already */
}

void dn_company_keep(struct dn_company *c, pid_t pid)
{
	c->pid = pid;
	c->front = getpgid(pid);
	/* The library knows which of the program's groups was in the foreground. */
	c->given = c->given && !in_foreground(c);
	if (c->given)
		c->front = tcgetpgrp(c->tty);
	for (;;) {
		siginfo_t info;
		int status;
		pid_t w = waitpid(pid, &status, WNOHANG | WUNTRACED);
		if (w == pid && WIFSTOPPED(status))
			stop_like(c, WSTOPSIG(status));
		else if (w == pid)
			end_like(c, status);
		else if (w < 0 && errno == ECHILD)
			exit(1);
		if (sigwaitinfo(&c->signals, &info) < 0 || info.si_signo == SIGCHLD)
			continue;
		pass_on(c, &info);
	}
}
