/* SPDX-License-Identifier: BSD-3-Clause */
/* forks_ending.c - many children at a time, which end at any moment
 *
 * unsettled: all
 */
#include "victim.h"

#define CHILDREN 20

int main(void)
{
	pid_t children[CHILDREN];
	int status;

	victim_ready();
	while (!victim_may_go()) {
		for (int i = 0; i < CHILDREN; i++) {
			children[i] = must(fork());
			if (children[i] == 0) {
				usleep(300 * (i % 7));
				_exit(i);
			}
		}
		for (int i = 0; i < CHILDREN; i++) {
			check(waitpid(children[i], &status, 0) == children[i], "waiting for child %d: %s", i,
			      strerror(errno));
			check(WIFEXITED(status) && WEXITSTATUS(status) == i, "child %d: status %x", i, status);
		}
	}
	return victim_end();
}
