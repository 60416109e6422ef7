/* SPDX-License-Identifier: BSD-3-Clause */
/* root_folder.c - a child that lives in another root folder, its working folder below that
 *
 * not: user (chroot needs a privilege)
 */
#include "victim.h"

static int leash[2];

static void child(void *arg)
{
	char now[256] = "", c;

	can(chroot("."));
	must(chdir("/inside"));
	close(leash[1]);
	victim_here();
	/* The file that says go is out of sight here. */
	check(read(leash[0], &c, 1) == 0, "reading the pipe: %s", strerror(errno));
	check(getcwd(now, sizeof(now)) && strcmp(now, "/inside") == 0, "cwd: expected /inside, got %s", now);
	check(access("/inside/marker", F_OK) == 0, "/inside/marker: %s", strerror(errno));
	check(access("/proc", F_OK) == -1, "/proc is to be seen from within the other root");
	check(access("/../../../proc", F_OK) == -1, "the way up leads out");
}

int main(void)
{
	struct stat st;
	ino_t before;
	pid_t pid;

	must(mkdir(victim_path("my-root"), 0755));
	must(mkdir(victim_path("my-root/inside"), 0755));
	must(close(must(open(victim_path("my-root/inside/marker"), O_CREAT | O_WRONLY, 0600))));
	must(chdir(victim_path("my-root")));
	must(stat("/", &st));
	before = st.st_ino;
	must(pipe(leash));
	victim_gate();
	pid = victim_fork(child, NULL);
	victim_all_here(1);
	must(chdir("/"));
	victim_ready();
	victim_wait();
	must(stat("/", &st));
	check(st.st_ino == before, "the root folder of the parent changed");
	close(leash[1]);
	victim_join(pid);
	return victim_end();
}
