/* SPDX-License-Identifier: BSD-3-Clause */
/* refuse_unix.c - a unix socket whose other end is not in the tree: a process that left it
 *
 * refused: not in the tree
 */
#include <sys/socket.h>

#include "victim.h"

static int ends[2];

/* Outlives its parent, a child of the program, and so belongs to somebody else. */
static void parent_of_other(void *arg)
{
	if (must(fork()) == 0) {
		char c;
		close(ends[0]);
		(void)!read(ends[1], &c, 1); /* until the program ends */
		(void)!write(ends[1], &c, 1);
		_exit(0);
	}
}

int main(void)
{
	char c = 0;

	must(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	victim_join(victim_fork(parent_of_other, NULL));
	close(ends[1]);
	victim_ready();
	victim_wait();
	must(write(ends[0], "x", 1));
	check(read(ends[0], &c, 1) == 1 && c == 'x', "nobody is at the other end");
	return victim_end();
}
