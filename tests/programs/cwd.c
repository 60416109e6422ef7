/* SPDX-License-Identifier: BSD-3-Clause */
/* cwd.c - working folders, one of them of a child that left its parent's */
#include "victim.h"

static void verify(const char *expected, const char *marker)
{
	char now[4096] = "";

	check(getcwd(now, sizeof(now)) && strcmp(now, expected) == 0, "cwd: expected %s, got %s", expected, now);
	check(access(marker, F_OK) == 0, "%s is not seen by its relative name: %s", marker, strerror(errno));
}

static void child(void *arg)
{
	char below[4096];

	must(chdir("below"));
	getcwd(below, sizeof(below));
	victim_here();
	victim_wait();
	verify(below, "marker-below");
}

int main(void)
{
	char top[4096];
	pid_t pid;

	snprintf(top, sizeof(top), "%s", victim_path("my folder\twith blanks"));
	must(mkdir(top, 0755));
	must(chdir(top));
	must(mkdir("below", 0711));
	must(close(must(open("marker", O_CREAT | O_WRONLY, 0600))));
	must(close(must(open("below/marker-below", O_CREAT | O_WRONLY, 0600))));
	victim_gate();
	pid = victim_fork(child, NULL);
	victim_all_here(1);
	victim_ready();
	victim_wait();
	verify(top, "marker");
	victim_join(pid);
	return victim_end();
}
