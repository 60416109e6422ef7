/* SPDX-License-Identifier: BSD-3-Clause */
/* refuse_socket.c - a pair of sockets, with data in it
 *
 * refused: socket
 */
#include <sys/socket.h>

#include "victim.h"

int main(void)
{
	int ends[2];
	char c = 0;

	must(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	must(write(ends[0], "x", 1));
	victim_ready();
	victim_wait();
	check(read(ends[1], &c, 1) == 1 && c == 'x', "the data in the socket is gone");
	return victim_end();
}
