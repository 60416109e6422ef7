/* SPDX-License-Identifier: BSD-3-Clause */
/* blocked_socket.c - threads that wait at sockets with a timeout (SO_RCVTIMEO): a stop must not show */
#include <sys/socket.h>

#include "blocked.h"

static int ends[2][2];

static void wait_by_read(struct blocked *b)
{
	char c = 0;
	ssize_t n = read(ends[0][0], &c, 1);

	check(n == 1 && c == 'r', "read: %zd (%s)", n, strerror(errno));
}

static void wait_by_recv(struct blocked *b)
{
	char c = 0;
	ssize_t n = recv(ends[1][0], &c, 1, 0);

	check(n == 1 && c == 'v', "recv: %zd (%s)", n, strerror(errno));
}

int main(void)
{
	struct timeval patience = { .tv_sec = 30 };
	struct blocked all[] = {
		{ "read", SYS_read, wait_by_read },
		{ "recv", SYS_recvfrom, wait_by_recv },
	};

	for (size_t i = 0; i < COUNT(ends); i++) {
		must(socketpair(AF_UNIX, SOCK_STREAM, 0, ends[i]));
		must(setsockopt(ends[i][0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)));
	}
	blocked_start(all, COUNT(all));
	victim_ready();
	victim_wait();
	must(write(ends[0][1], "r", 1));
	must(write(ends[1][1], "v", 1));
	blocked_join(all, COUNT(all));
	return victim_end();
}
