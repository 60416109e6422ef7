/* SPDX-License-Identifier: BSD-3-Clause */
/* lock_flock.c - locks of descriptions: flock and open file description locks, shared through fork */
#include <sys/file.h>

#include "state.h"

static char *whole, *shared, *range;
static int whole_fd, shared_fd, range_fd;
static _Atomic unsigned int *steps;

static bool can_flock(const char *path, int how)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	bool got;

	NEED(fd >= 0);
	got = flock(fd, how | LOCK_NB) == 0;
	close(fd);
	return got;
}

static bool can_lock(const char *path, off_t start, off_t length)
{
	struct flock lock = { .l_type = F_WRLCK, .l_start = start, .l_len = length };
	int fd = open(path, O_RDWR | O_CLOEXEC);
	bool got;

	NEED(fd >= 0);
	got = fcntl(fd, F_OFD_SETLK, &lock) == 0;
	close(fd);
	return got;
}

static void verify(void)
{
	NEED(!can_flock(whole, LOCK_SH) && !can_flock(shared, LOCK_EX) && can_flock(shared, LOCK_SH));
	NEED(!can_lock(range, 150, 1) && can_lock(range, 0, 100) && can_lock(range, 200, 0));
}

static void work(void *unused)
{
	victim_wait();
	verify();
	step(steps);
	step_wait(steps, 2);
	/* The lock belongs to the description: the parent's closing alone did not end it. */
	NEED(!can_flock(whole, LOCK_EX));
	NEED(flock(whole_fd, LOCK_UN) == 0 && can_flock(whole, LOCK_EX));
}

int main(void)
{
	struct flock lock = { .l_type = F_WRLCK, .l_start = 100, .l_len = 100 };
	pid_t pid;

	steps = map_shared(PAGE);
	whole_fd = make_file(whole = in_dir("whole"), PAGE, 1);
	shared_fd = make_file(shared = in_dir("shared"), PAGE, 1);
	range_fd = make_file(range = in_dir("range"), PAGE, 1);
	NEED(flock(whole_fd, LOCK_EX) == 0 && flock(shared_fd, LOCK_SH) == 0);
	NEED(fcntl(range_fd, F_OFD_SETLK, &lock) == 0);
	pid = victim_fork(work, NULL);

	hold();

	/* One after the other: looking takes locks for a moment. */
	step_wait(steps, 1);
	verify();
	close(whole_fd);
	step(steps);
	victim_join(pid);
	NEED(can_flock(whole, LOCK_EX));
	return victim_end();
}
