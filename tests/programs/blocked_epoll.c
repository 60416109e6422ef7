/* SPDX-License-Identifier: BSD-3-Clause */
/* blocked_epoll.c - threads in epoll_wait, with and without a timeout: no EINTR, nothing lost
 *
 * unsettled: status (the mask of epoll_pwait comes and goes)
 */
#include <sys/epoll.h>

#include "blocked.h"

static int poll_fd, leash[2];

static void wait_for(int n, uint32_t data)
{
	check(n == 1 && data == 99, "epoll_wait: got %d (%s), data %u", n, strerror(errno), data);
}

static void run(struct blocked *b)
{
	struct epoll_event event = { 0 };
	int n = epoll_wait(poll_fd, &event, 1, -1);

	wait_for(n, event.data.u32);
}

static void run_pwait(struct blocked *b)
{
	struct epoll_event event = { 0 };
	sigset_t mask;

	sigfillset(&mask);
	int n = epoll_pwait(poll_fd, &event, 1, 1000000, &mask);
	wait_for(n, event.data.u32);
}

static struct blocked all[] = { { "epoll_wait", SYS_epoll_wait, run }, { "epoll_pwait", SYS_epoll_pwait, run_pwait } };

int main(void)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = 99 };

	must(pipe(leash));
	poll_fd = must(epoll_create1(EPOLL_CLOEXEC));
	must(epoll_ctl(poll_fd, EPOLL_CTL_ADD, leash[0], &event));
	blocked_start(all, COUNT(all));
	victim_ready();
	victim_wait();
	must(write(leash[1], "x", 1));
	blocked_join(all, COUNT(all));
	return victim_end();
}
