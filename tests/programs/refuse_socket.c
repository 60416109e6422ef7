/* SPDX-License-Identifier: BSD-3-Clause */
/* refuse_socket.c - a raw socket
 *
 * refused: socket
 * not: user userns (only root may have one)
 */
#include <netinet/in.h>
#include <sys/socket.h>

#include "victim.h"

int main(void)
{
	int fd = (int)can(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)), type = 0;
	socklen_t len = sizeof(type);

	victim_ready();
	victim_wait();
	check(getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_RAW, "the socket is gone");
	return victim_end();
}
