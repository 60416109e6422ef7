/* SPDX-License-Identifier: BSD-3-Clause */
/* forks_born.c - children are made, execute, and are reaped all the time
 *
 * unsettled: all
 */
#include <spawn.h>

#include "victim.h"

int main(void)
{
	char *const none[] = { "true", NULL };
	pid_t spawned, forked;
	int status;

	victim_ready();
	for (int i = 0; !victim_may_go(); i++) {
		forked = must(fork());
		if (forked == 0)
			_exit(i % 100);
		check(posix_spawn(&spawned, "/bin/true", NULL, NULL, none, none) == 0, "posix_spawn: %s",
		      strerror(errno));
		check(waitpid(forked, &status, 0) == forked, "waiting for %d: %s", forked, strerror(errno));
		check(WIFEXITED(status) && WEXITSTATUS(status) == i % 100, "child %d: status %x", i, status);
		check(waitpid(spawned, &status, 0) == spawned, "waiting for %d: %s", spawned, strerror(errno));
		check(status == 0, "/bin/true: status %x", status);
	}
	return victim_end();
}
