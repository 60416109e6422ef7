/* SPDX-License-Identifier: BSD-3-Clause */
/* file_high.c - high descriptor numbers, up to the last one that the limit allows, standard ones closed */
#include "state.h"

int main(void)
{
	char *path = in_dir("file");
	struct rlimit limit;
	int fd = make_file(path, PAGE, 1), last;

	NEED(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	last = (int)(limit.rlim_cur < 100000 ? limit.rlim_cur : 100000) - 1;
	NEED(dup2(fd, last) == last && dup2(fd, 1000) == 1000 && dup2(fd, 63) == 63 && dup2(fd, 64) == 64);
	close(fd);
	/* Below the descriptors there are: afterwards no more can be made. */
	limit.rlim_cur = 64;
	NEED(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	close(0);

	hold();

	NEED(fcntl(0, F_GETFD) == -1 && fcntl(fd, F_GETFD) == -1);
	NEED(file_filled(last, PAGE, 1) && file_filled(1000, PAGE, 1) && file_filled(63, PAGE, 1) &&
	     file_filled(64, PAGE, 1));
	NEED(lseek(1000, 77, SEEK_SET) == 77 && lseek(last, 0, SEEK_CUR) == 77);
	NEED(fcntl(last, F_DUPFD, 64) == -1 && errno == EINVAL);
	NEED(dup(last) == 0);
	return victim_end();
}
