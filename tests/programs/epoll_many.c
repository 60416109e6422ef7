/* SPDX-License-Identifier: BSD-3-Clause */
/* epoll_many.c - an epoll that watches a thousand eventfds at numbers out of order */
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "victim.h"

#define N 1000

int main(void)
{
	struct rlimit limit = { 4096, 4096 };
	struct epoll_event event = { .events = EPOLLIN }, got[N];
	static int fds[N];
	int epoll = must(epoll_create1(0)), n, sum = 0;

	can(setrlimit(RLIMIT_NOFILE, &limit));
	for (int i = 0; i < N; i++) {
		int fd = must(eventfd(0, EFD_NONBLOCK));
		fds[i] = must(fcntl(fd, F_DUPFD, 100 + i * 7 % 3000));
		close(fd);
		event.data.u32 = (uint32_t)i;
		must(epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &event));
	}
	for (int i = 0; i < N; i += 10)
		must(write(fds[i], &(uint64_t){ 1 }, 8));
	victim_ready();
	victim_wait();
	n = epoll_wait(epoll, got, N, 0);
	check(n == N / 10, "%d are ready, not %d", n, N / 10);
	for (int i = 0; i < n; i++) {
		uint64_t value = 0;
		check(got[i].data.u32 % 10 == 0 && read(fds[got[i].data.u32 % N], &value, 8) == 8 && value == 1,
		      "number %u is ready with %lu", got[i].data.u32, value);
		sum += (int)got[i].data.u32;
	}
	check(sum == 10 * (N / 10 - 1) * (N / 10) / 2, "not those that should be ready");
	for (int i = 0; i < N; i++)
		check(epoll_ctl(epoll, EPOLL_CTL_DEL, fds[i], NULL) == 0, "number %d is not watched", fds[i]);
	return victim_end();
}
