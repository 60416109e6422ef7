/* SPDX-License-Identifier: BSD-3-Clause */
/* refuse_io_uring.c - an io_uring
 *
 * refused: io_uring
 */
#include <linux/io_uring.h>

#include "victim.h"

int main(void)
{
	struct io_uring_params params = { 0 };
	int fd = (int)can(syscall(SYS_io_uring_setup, 4, &params));

	victim_ready();
	victim_wait();
	check(syscall(SYS_io_uring_enter, fd, 0, 0, 0, NULL, 0) == 0, "io_uring_enter: %s", strerror(errno));
	return victim_end();
}
