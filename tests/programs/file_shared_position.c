/* SPDX-License-Identifier: BSD-3-Clause */
/* file_shared_position.c - descriptions shared by dup and by fork share their position; others do not */
#include "state.h"

static int fd, copy, apart, far;
static _Atomic unsigned int *steps;

static void work(void *unused)
{
	close(fd);
	victim_wait();
	NEED(lseek(copy, 0, SEEK_CUR) == 100);
	NEED(lseek(copy, 200, SEEK_SET) == 200);
	NEED(fcntl(copy, F_SETFL, O_APPEND) == 0);
	NEED(lseek(far, 0, SEEK_CUR) == 500 && lseek(far, 600, SEEK_SET) == 600);
	step(steps);
}

int main(void)
{
	char *path = in_dir("file");
	int far_copy;
	pid_t pid;

	steps = map_shared(PAGE);
	fd = make_file(path, PAGE, 1);
	copy = dup(fd);
	far = fcntl(fd, F_DUPFD, 700);
	NEED(copy >= 0 && far == 700);
	close(far);
	far = open(path, O_RDWR);
	far_copy = fcntl(far, F_DUPFD_CLOEXEC, 700);
	apart = open(path, O_RDWR);
	NEED(far >= 0 && far_copy == 700 && apart >= 0);
	NEED(lseek(fd, 100, SEEK_SET) == 100 && lseek(far, 500, SEEK_SET) == 500 && lseek(apart, 7, SEEK_SET) == 7);
	pid = victim_fork(work, NULL);
	close(far);

	hold();

	step_wait(steps, 1);
	NEED(lseek(fd, 0, SEEK_CUR) == 200 && lseek(copy, 0, SEEK_CUR) == 200);
	NEED(fcntl(fd, F_GETFL) & O_APPEND);
	NEED(lseek(far_copy, 0, SEEK_CUR) == 600 && !(fcntl(far_copy, F_GETFL) & O_APPEND));
	NEED(lseek(apart, 0, SEEK_CUR) == 7);
	NEED(fcntl(far_copy, F_GETFD) == FD_CLOEXEC && fcntl(copy, F_GETFD) == 0);
	victim_join(pid);
	return victim_end();
}
