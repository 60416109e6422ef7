/* SPDX-License-Identifier: BSD-3-Clause */
/* refuse_tcp.c - a connection of TCP whose other end is not in the tree: a process that left it
 *
 * refused: not in the tree
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "victim.h"

static int listener, client;

/* Outlives its parent, a child of the program, and so belongs to somebody else. */
static void parent_of_other(void *arg)
{
	if (must(fork()) == 0) {
		char c;
		int server = accept(listener, NULL, NULL);
		close(client);
		(void)!read(server, &c, 1); /* until the program ends */
		(void)!write(server, &c, 1);
		_exit(0);
	}
}

int main(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	char c = 0;

	listener = must(socket(AF_INET, SOCK_STREAM, 0));
	must(bind(listener, (struct sockaddr *)&a, len));
	must(getsockname(listener, (struct sockaddr *)&a, &len));
	must(listen(listener, 1));
	client = must(socket(AF_INET, SOCK_STREAM, 0));
	must(connect(client, (struct sockaddr *)&a, len));
	victim_join(victim_fork(parent_of_other, NULL));
	close(listener);
	victim_ready();
	victim_wait();
	must(write(client, "x", 1));
	check(read(client, &c, 1) == 1 && c == 'x', "nobody is at the other end");
	return victim_end();
}
