/* SPDX-License-Identifier: BSD-3-Clause */
/* refuse_pidfd.c - a descriptor of a process
 *
 * refused: pidfd
 */
#include "victim.h"

int main(void)
{
	int fd = (int)can(syscall(SYS_pidfd_open, getpid(), 0));

	victim_ready();
	victim_wait();
	check(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0) == 0, "the pidfd does not work any more");
	return victim_end();
}
