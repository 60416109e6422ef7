/* SPDX-License-Identifier: BSD-3-Clause */
/* terminal.c - who is in the foreground of the terminal that dunlin runs on */
#include "restore/terminal.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"

static int open_terminal(void)
{
	return open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
}

/* In a pipeline the others may need the terminal (a pager at the end of it). */
static bool alone(const struct dn_restore *r)
{
	struct stat st;

	return r->standard[0] >= 0 && isatty(r->standard[0]) &&
	       !(r->standard[1] >= 0 && fstat(r->standard[1], &st) == 0 && S_ISFIFO(st.st_mode));
}

void dn_terminal_give(struct dn_restore *r)
{
	_cleanup_fd_ int fd = !r->options->detach && alone(r) ? open_terminal() : -1;
	size_t n;
	const Dn__Process *root = dn_image_processes(r->image, &n)[0].process;

	if (fd < 0 || tcgetpgrp(fd) != getpgrp())
		return;
	/* A program that was in the background comes to the foreground.  In a session of its own (EPERM)
	 * it has no terminal to be in the foreground of. */
	pid_t group = root->foreground ? (pid_t)root->foreground : getpgid((pid_t)root->pid);
	r->terminal_given = group > 0 && group != getpgrp() && tcsetpgrp(fd, group) == 0;
}

void dn_terminal_take_back(struct dn_restore *r)
{
	_cleanup_fd_ int fd = r->terminal_given ? open_terminal() : -1;
	sigset_t ttou, old;

	if (fd < 0)
		return;
	sigemptyset(&ttou);
	sigaddset(&ttou, SIGTTOU); /* blocked, it is not sent */
	pthread_sigmask(SIG_BLOCK, &ttou, &old);
	tcsetpgrp(fd, getpgrp());
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}
