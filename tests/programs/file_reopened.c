/* SPDX-License-Identifier: BSD-3-Clause */
/* file_reopened.c - descriptors opened through /proc/self/fd: same file, other description, other mode */
#include "state.h"

static int reopen(int fd, int flags)
{
	char path[64];
	int again;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, flags);
	NEED(again >= 0);
	return again;
}

int main(void)
{
	char *path = in_dir("file");
	int deleted = make_file(path, 2 * PAGE, 1), memory = memfd_create("x", 0), pipes[2];
	int deleted_again, memory_again, reader_again;
	uint64_t page[PAGE / 8];

	NEED(memory >= 0 && pipe(pipes) == 0 && unlink(path) == 0);
	fill(page, PAGE, 2);
	NEED(write(memory, page, PAGE) == PAGE && write(pipes[1], "abc", 3) == 3);
	deleted_again = reopen(deleted, O_RDONLY);
	memory_again = reopen(memory, O_RDONLY);
	reader_again = reopen(pipes[0], O_RDONLY | O_NONBLOCK);
	NEED(lseek(deleted_again, 5, SEEK_SET) == 5 && lseek(memory_again, 6, SEEK_SET) == 6);

	hold();

	NEED(lseek(deleted, 0, SEEK_CUR) == 2 * PAGE && lseek(deleted_again, 0, SEEK_CUR) == 5);
	NEED(lseek(memory, 0, SEEK_CUR) == PAGE && lseek(memory_again, 0, SEEK_CUR) == 6);
	NEED(write(deleted_again, "x", 1) == -1 && write(memory_again, "x", 1) == -1);
	NEED(pwrite(deleted, "new", 3, 5) == 3 && read(deleted_again, page, 3) == 3 && !memcmp(page, "new", 3));
	NEED(pwrite(memory, "mem", 3, 6) == 3 && read(memory_again, page, 3) == 3 && !memcmp(page, "mem", 3));
	NEED(read(reader_again, page, 2) == 2 && read(pipes[0], page, 2) == 1);
	NEED(read(reader_again, page, 1) == -1 && errno == EAGAIN);
	NEED(!(fcntl(pipes[0], F_GETFL) & O_NONBLOCK));
	close(pipes[0]);
	NEED(write(pipes[1], "d", 1) == 1 && read(reader_again, page, 8) == 1);
	return victim_end();
}
