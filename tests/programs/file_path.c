/* SPDX-License-Identifier: BSD-3-Clause */
/* file_path.c - descriptors opened with O_PATH: a file, a folder, a symbolic link, a FIFO */
#include "state.h"

int main(void)
{
	char *file = in_dir("file"), *folder = in_dir("folder"), *link = in_dir("link"), *fifo = in_dir("fifo");
	char target[4096] = "", name[64];
	int fds[4];
	struct stat before[4], after;

	close(make_file(file, PAGE, 1));
	NEED(mkdir(folder, 0755) == 0 && symlink("no such file", link) == 0 && mkfifo(fifo, 0644) == 0);
	fds[0] = open(file, O_PATH);
	fds[1] = open(folder, O_PATH | O_DIRECTORY);
	fds[2] = open(link, O_PATH | O_NOFOLLOW);
	fds[3] = open(fifo, O_PATH | O_CLOEXEC);
	for (int i = 0; i < 4; i++)
		NEED(fds[i] >= 0 && fstat(fds[i], &before[i]) == 0);

	hold();

	for (int i = 0; i < 4; i++) {
		NEED(fstat(fds[i], &after) == 0);
		NEED(after.st_ino == before[i].st_ino && after.st_dev == before[i].st_dev);
		NEED(fcntl(fds[i], F_GETFL) & O_PATH);
		NEED(read(fds[i], name, 1) == -1 && errno == EBADF);
	}
	NEED(fcntl(fds[3], F_GETFD) == FD_CLOEXEC);
	NEED(readlinkat(fds[2], "", target, sizeof(target)) > 0 && !strcmp(target, "no such file"));
	NEED(openat(fds[1], "new", O_CREAT | O_WRONLY, 0644) >= 0);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fds[0]);
	NEED(file_filled(open(name, O_RDONLY), PAGE, 1));
	return victim_end();
}
