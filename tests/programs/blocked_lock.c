/* SPDX-License-Identifier: BSD-3-Clause */
/* blocked_lock.c - waiting for file locks that another process of the tree holds */
#include <sys/file.h>

#include "blocked.h"

static char name[1024];

static struct flock whole(short type)
{
	return (struct flock){ .l_type = type, .l_whence = SEEK_SET };
}

static int lock(int kind, int fd, bool wait)
{
	struct flock l = whole(F_WRLCK);

	if (kind == 0)
		return flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB));
	if (kind == 1)
		return fcntl(fd, wait ? F_SETLKW : F_SETLK, &l);
	return fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &l);
}

static int open_it(int kind)
{
	char path[1100];

	snprintf(path, sizeof(path), "%s-%d", name, kind);
	return must(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
}

static int held;

static void holder(void *arg)
{
	int fds[3];

	for (int kind = 0; kind < 3; kind++) {
		fds[kind] = open_it(kind);
		must(lock(kind, fds[kind], false));
	}
	victim_here();
	victim_wait();
	victim_sleep_ms(200);
	/* It ends, and with it its locks. */
}

static void run(struct blocked *b)
{
	int fd = open_it(b->argument), r;

	r = lock(b->argument, fd, true);
	check(r == 0, "%s: got %d (%s)", b->name, r, strerror(errno));
	check(held == 0, "%s: locked while the other process held it", b->name);
}

static struct blocked all[] = {
	{ "flock", SYS_flock, run, 0 },
	{ "fcntl F_SETLKW", SYS_fcntl, run, 1 },
	{ "fcntl F_OFD_SETLKW", SYS_fcntl, run, 2 },
};

int main(void)
{
	pid_t pid;

	snprintf(name, sizeof(name), "%s", victim_path("my-lock"));
	victim_gate();
	pid = victim_fork(holder, NULL);
	victim_all_here(1);
	held = 1;
	blocked_start(all, COUNT(all));
	victim_ready();
	while (!victim_may_go())
		victim_sleep_ms(1);
	held = 0;
	victim_join(pid);
	blocked_join(all, COUNT(all));
	return victim_end();
}
