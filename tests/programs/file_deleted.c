/* SPDX-License-Identifier: BSD-3-Clause */
/* file_deleted.c - deleted files that are still open: content, holes, attributes, on disk and in memory */
#include "state.h"

#define SIZE (64 * MIB)

int main(void)
{
	char *paths[2] = { in_dir("file"), NULL };
	int fds[2], readers[2];
	struct stat before[2], after;
	uint64_t page[PAGE / 8];

	paths[1] = in_shm();
	for (int i = 0; i < 2; i++) {
		fds[i] = make_file(paths[i], 0, 0);
		readers[i] = open(paths[i], O_RDONLY);
		for (size_t at = 0; at < SIZE; at += 8 * MIB) {
			fill(page, PAGE, at);
			NEED(pwrite(fds[i], page, PAGE, (off_t)at) == PAGE);
		}
		NEED(ftruncate(fds[i], SIZE + 100) == 0 && fchmod(fds[i], 0640) == 0);
		NEED(lseek(fds[i], 12345, SEEK_SET) == 12345);
		NEED(unlink(paths[i]) == 0);
		NEED(fsync(fds[i]) == 0 && fstat(fds[i], &before[i]) == 0);
	}

	hold();

	for (int i = 0; i < 2; i++) {
		NEED(access(paths[i], F_OK) == -1);
		NEED(fstat(fds[i], &after) == 0 && after.st_nlink == 0);
		NEED(after.st_size == before[i].st_size && after.st_mode == before[i].st_mode);
		NEED(after.st_mtim.tv_sec == before[i].st_mtim.tv_sec && after.st_dev == before[i].st_dev);
		NEED(fsync(fds[i]) == 0 && fstat(fds[i], &after) == 0);
		if (after.st_blocks > before[i].st_blocks)
			GIVE_UP("file %d had %ld blocks, has %ld", i, before[i].st_blocks, after.st_blocks);
		for (size_t at = 0; at < SIZE; at += 8 * MIB)
			NEED(pread(readers[i], page, PAGE, (off_t)at) == PAGE && filled(page, PAGE, at));
		NEED(lseek(readers[i], PAGE, SEEK_DATA) == 8 * MIB);
		NEED(lseek(fds[i], 0, SEEK_CUR) == 12345);
		/* The two descriptors are still of one file. */
		NEED(pwrite(fds[i], "new", 3, 20) == 3 && pread(readers[i], page, 3, 20) == 3);
		NEED(!memcmp(page, "new", 3));
		NEED(ftruncate(fds[i], 10) == 0 && lseek(readers[i], 0, SEEK_END) == 10);
	}
	return victim_end();
}
