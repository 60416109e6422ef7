/* SPDX-License-Identifier: BSD-3-Clause */
/* tcp_accepting.c - connections of TCP that are made and ended all the time: a checkpoint waits until it fits
 *
 * unsettled: all
 * not: user userns foreground (they are to be as in the others)
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "victim.h"

static struct sockaddr_in at = { .sin_family = AF_INET };
static int listener;

/* Accepts late, and has accepted all for most of the time. */
static void *serve(void *arg)
{
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		char c;

		if (fd < 0 || recv(fd, &c, 1, 0) != 1 || send(fd, &c, 1, 0) != 1)
			check(false, "server: %s", strerror(errno));
		check(recv(fd, &c, 1, 0) == 0, "server: no end");
		close(fd);
		if (c == 'q')
			return NULL;
	}
}

int main(void)
{
	socklen_t len = sizeof(at);
	pthread_t server;
	char c = 0;

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = must(socket(AF_INET, SOCK_STREAM, 0));
	must(bind(listener, (struct sockaddr *)&at, len));
	must(getsockname(listener, (struct sockaddr *)&at, &len));
	must(listen(listener, 8));
	must0(pthread_create(&server, NULL, serve, NULL));
	for (int i = 0; c != 'q'; i++) {
		struct linger at_once = { 1, 0 };
		int fd = must(socket(AF_INET, SOCK_STREAM, 0));

		must(connect(fd, (struct sockaddr *)&at, len));
		c = victim_may_go() && i > 20 ? 'q' : 'x';
		must(send(fd, &c, 1, 0));
		check(recv(fd, &c, 1, 0) == 1, "client: %s", strerror(errno));
		must(shutdown(fd, SHUT_WR));
		check(recv(fd, &(char){ 0 }, 1, 0) == 0, "client: no end");
		must(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)));
		close(fd);
		if (i == 10)
			victim_ready();
		victim_sleep_ms(2);
	}
	must0(pthread_join(server, NULL));
	return victim_end();
}
