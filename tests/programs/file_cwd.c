/* SPDX-License-Identifier: BSD-3-Clause */
/* file_cwd.c - the current folder of parent and child, also when it was renamed */
#include "state.h"

static void work(void *unused)
{
	char cwd[4096];

	NEED(chdir("/usr") == 0);
	victim_wait();
	NEED(getcwd(cwd, sizeof(cwd)) && !strcmp(cwd, "/usr"));
}

int main(void)
{
	char *old = in_dir("old"), *expected = in_dir("new"), cwd[4096];
	pid_t pid;

	NEED(mkdir(old, 0755) == 0 && chdir(old) == 0);
	close(make_file("file", PAGE, 1));
	NEED(rename(old, expected) == 0);
	pid = victim_fork(work, NULL);

	hold();

	NEED(getcwd(cwd, sizeof(cwd)) && !strcmp(cwd, expected));
	NEED(file_filled(open("file", O_RDONLY), PAGE, 1));
	NEED(close(make_file("another", PAGE, 1)) == 0);
	victim_join(pid);
	return victim_end();
}
