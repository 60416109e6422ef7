/* SPDX-License-Identifier: BSD-3-Clause */
/* lock_posix.c - record locks of processes: ranges, kinds, owners, as a third process sees them */
#include "state.h"

static char *path;
static int fd;

/* Who holds what at a byte, as seen by somebody who wants to write. */
static struct flock holder(off_t at)
{
	struct flock lock = { .l_type = F_WRLCK, .l_start = at, .l_len = 1 };
	int own = open(path, O_RDWR | O_CLOEXEC);

	NEED(own >= 0 && fcntl(own, F_GETLK, &lock) == 0);
	close(own);
	return lock;
}

static void take(short type, off_t start, off_t length)
{
	struct flock lock = { .l_type = type, .l_start = start, .l_len = length };

	NEED(fcntl(fd, F_SETLK, &lock) == 0);
}

static _Atomic unsigned int *steps;

static void work(void *unused)
{
	take(F_WRLCK, 300, 50);
	step(steps);
	victim_wait();
	step_wait(steps, 2);
}

static void look(void *arg)
{
	pid_t parent = getppid(), other = *(pid_t *)arg;
	struct flock lock = holder(10);

	NEED(lock.l_type == F_WRLCK && lock.l_pid == parent && lock.l_start == 0 && lock.l_len == 100);
	lock = holder(220);
	NEED(lock.l_type == F_RDLCK && lock.l_pid == parent && lock.l_start == 200 && lock.l_len == 50);
	lock = holder(320);
	NEED(lock.l_type == F_WRLCK && lock.l_pid == other && lock.l_start == 300 && lock.l_len == 50);
	lock = holder(1000000000);
	NEED(lock.l_type == F_WRLCK && lock.l_pid == parent && lock.l_start == 1000 && lock.l_len == 0);
	NEED(holder(150).l_type == F_UNLCK && holder(400).l_type == F_UNLCK);
}

int main(void)
{
	pid_t pid;

	steps = map_shared(PAGE);
	path = in_dir("file");
	fd = make_file(path, PAGE, 1);
	pid = victim_fork(work, NULL);
	step_wait(steps, 1);
	take(F_WRLCK, 0, 100);
	take(F_RDLCK, 200, 50);
	take(F_WRLCK, 1000, 0); /* to the end, wherever that is */
	victim_join(victim_fork(look, &pid));

	hold();

	victim_join(victim_fork(look, &pid));
	take(F_UNLCK, 0, 0);
	step(steps);
	victim_join(pid);
	return victim_end();
}
