/* SPDX-License-Identifier: BSD-3-Clause */
/* blocked_poll.c - poll, ppoll, select and pselect without a timeout, woken by data afterwards */
#include <poll.h>
#include <sys/select.h>

#include "blocked.h"

static int pipes[4][2];

static void verify_mask(struct blocked *b)
{
	sigset_t now;

	must0(pthread_sigmask(SIG_SETMASK, NULL, &now));
	check(sigismember(&now, SIGUSR1) == 0, "%s: its signal mask stayed", b->name);
}

static void run_poll(struct blocked *b)
{
	struct pollfd fds[2] = { { pipes[b->argument][0], POLLIN, 0 }, { -1, POLLIN, 0 } };
	sigset_t mask;
	int n;

	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	if (b->nr == SYS_poll)
		n = poll(fds, 2, -1);
	else
		n = ppoll(fds, 2, NULL, &mask);
	check(n == 1, "%s: expected 1, got %d (%s)", b->name, n, strerror(errno));
	check(fds[0].revents == POLLIN, "%s: events: %x", b->name, fds[0].revents);
	verify_mask(b);
}

static void run_select(struct blocked *b)
{
	int fd = pipes[b->argument][0], n;
	fd_set set;
	sigset_t mask;

	FD_ZERO(&set);
	FD_SET(fd, &set);
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	if (b->nr == SYS_select)
		n = (int)syscall(SYS_select, fd + 1, &set, NULL, NULL, NULL);
	else
		n = pselect(fd + 1, &set, NULL, NULL, NULL, &mask);
	check(n == 1, "%s: expected 1, got %d (%s)", b->name, n, strerror(errno));
	check(FD_ISSET(fd, &set), "%s: the descriptor is not set", b->name);
	verify_mask(b);
}

static struct blocked all[] = {
	{ "poll", SYS_poll, run_poll, 0 },
	{ "ppoll", SYS_ppoll, run_poll, 1 },
	{ "select", SYS_select, run_select, 2 },
	{ "pselect", SYS_pselect6, run_select, 3 },
};

int main(void)
{
	for (size_t i = 0; i < COUNT(all); i++)
		must(pipe(pipes[i]));
	blocked_start(all, COUNT(all));
	victim_ready();
	victim_wait();
	for (size_t i = 0; i < COUNT(all); i++)
		must(write(pipes[i][1], "x", 1));
	blocked_join(all, COUNT(all));
	return victim_end();
}
