/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_memfd_sparse.c - a large memory file with few pages stays sparse */
#include "state.h"

#define SIZE (64 * GIB)

int main(void)
{
	int fd = memfd_create("sparse", 0);
	char *window;
	struct stat before, after;
	uint64_t page[PAGE / 8];

	NEED(fd >= 0 && ftruncate(fd, SIZE) == 0);
	for (size_t i = 0; i < 64; i++) {
		fill(page, PAGE, i);
		NEED(pwrite(fd, page, PAGE, (off_t)(i * GIB + i * PAGE)) == PAGE);
	}
	window = mmap(NULL, GIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 7 * GIB);
	NEED(window != MAP_FAILED && fstat(fd, &before) == 0);

	hold();

	NEED(fstat(fd, &after) == 0 && after.st_size == (off_t)SIZE && after.st_blocks <= before.st_blocks);
	for (size_t i = 0; i < 64; i++)
		NEED(pread(fd, page, PAGE, (off_t)(i * GIB + i * PAGE)) == PAGE && filled(page, PAGE, i));
	NEED(filled(window + 7 * PAGE, PAGE, 7));
	NEED(all_zero(window + 8 * PAGE, MIB));
	fill(window + 100 * MIB, PAGE, 100);
	NEED(pread(fd, page, PAGE, 7 * GIB + 100 * MIB) == PAGE && filled(page, PAGE, 100));
	return victim_end();
}
