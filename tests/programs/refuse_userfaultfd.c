/* SPDX-License-Identifier: BSD-3-Clause */
/* refuse_userfaultfd.c - a userfaultfd
 *
 * refused: userfaultfd
 */
#include "victim.h"

int main(void)
{
	int fd = (int)can(syscall(SYS_userfaultfd, O_CLOEXEC | 1 /* UFFD_USER_MODE_ONLY */));

	victim_ready();
	victim_wait();
	check(fcntl(fd, F_GETFD) == FD_CLOEXEC, "the descriptor is gone");
	return victim_end();
}
