/* SPDX-License-Identifier: BSD-3-Clause */
/* file_flags.c - access modes, status flags and positions of regular files */
#include "state.h"

#ifndef O_NOATIME
#define O_NOATIME 01000000
#endif

static const int flags[] = {
	O_RDONLY,
	O_WRONLY,
	O_RDWR,
	O_RDWR | O_APPEND,
	O_WRONLY | O_SYNC,
	O_WRONLY | O_DSYNC,
	O_RDONLY | O_NONBLOCK,
	O_RDWR | O_NOATIME,
	O_RDWR | O_SYNC | O_APPEND,
	O_RDONLY | O_CLOEXEC,
	O_RDONLY | O_NOFOLLOW,
	O_WRONLY | O_ASYNC,
};

int main(void)
{
	char *path = in_dir("file");
	int fds[COUNT(flags)], before[COUNT(flags)];
	char byte;

	close(make_file(path, 10 * PAGE, 1));
	for (size_t i = 0; i < COUNT(flags); i++) {
		fds[i] = open(path, flags[i]);
		NEED(fds[i] >= 0);
		before[i] = fcntl(fds[i], F_GETFL);
		/* Every position is another, one is far beyond the end. */
		NEED(lseek(fds[i], i == 1 ? 1000000000000 : (off_t)(i * 1000 + 1), SEEK_SET) >= 0);
	}

	hold();

	for (size_t i = 0; i < COUNT(flags); i++) {
		NEED(lseek(fds[i], 0, SEEK_CUR) == (i == 1 ? 1000000000000 : (off_t)(i * 1000 + 1)));
		if (fcntl(fds[i], F_GETFL) != before[i])
			GIVE_UP("flags of descriptor %zu were 0%o, are 0%o", i, before[i], fcntl(fds[i], F_GETFL));
		NEED(fcntl(fds[i], F_GETFD) == (flags[i] & O_CLOEXEC ? FD_CLOEXEC : 0));
		NEED((read(fds[i], &byte, 1) == 1) == ((flags[i] & O_ACCMODE) != O_WRONLY));
		NEED((write(fds[i], "", 0) == 0) == ((flags[i] & O_ACCMODE) != O_RDONLY));
	}
	return victim_end();
}
