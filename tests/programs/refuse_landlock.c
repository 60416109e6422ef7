/* SPDX-License-Identifier: BSD-3-Clause */
/* refuse_landlock.c - a process in a sandbox of Landlock, as another user than dunlin's
 *
 * refused: sandbox
 */
#include <linux/landlock.h>

#include "victim.h"

int main(void)
{
	struct landlock_ruleset_attr rules = { .handled_access_fs = LANDLOCK_ACCESS_FS_MAKE_SOCK };
	long fd = syscall(SYS_landlock_create_ruleset, &rules, sizeof(rules), 0);

	if (fd < 0)
		victim_skip("no Landlock here: %s", strerror(errno));
	if (getuid() == 0)
		can(setresuid(1000, 1000, 1000));
	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	can(syscall(SYS_landlock_restrict_self, fd, 0));
	must(close((int)fd));
	victim_ready();
	victim_wait();
	check(mknod(victim_path("mysocket"), S_IFSOCK | 0600, 0) == -1 && errno == EACCES, "out of the sandbox");
	return victim_end();
}
