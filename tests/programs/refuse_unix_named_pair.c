/* SPDX-License-Identifier: BSD-3-Clause */
/* refuse_unix_named_pair.c - a pair of datagram sockets, one of which got a name afterwards
 *
 * refused: no name
 */
#include <sys/socket.h>

#include "victim.h"

int main(void)
{
	int ends[2];
	char c = 0;

	must(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends));
	must(bind(ends[0], &(struct sockaddr){ .sa_family = AF_UNIX }, sizeof(sa_family_t)));
	victim_ready();
	victim_wait();
	must(send(ends[0], "x", 1, 0));
	check(recv(ends[1], &c, 1, 0) == 1 && c == 'x', "nothing came");
	return victim_end();
}
