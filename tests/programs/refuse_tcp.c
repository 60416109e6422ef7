/* SPDX-License-Identifier: BSD-3-Clause */
/* refuse_tcp.c - a listening TCP socket
 *
 * refused: socket
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "victim.h"

int main(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = can(socket(AF_INET, SOCK_STREAM, 0)), on = 0;
	socklen_t len = sizeof(on);

	must(bind(fd, (struct sockaddr *)&address, sizeof(address)));
	must(listen(fd, 5));
	victim_ready();
	victim_wait();
	check(getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) == 0 && on == 1, "it does not listen any more");
	return victim_end();
}
