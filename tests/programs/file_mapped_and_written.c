/* SPDX-License-Identifier: BSD-3-Clause */
/* file_mapped_and_written.c - one file, through a mapping and through a descriptor, growing */
#include "state.h"

int main(void)
{
	char *path = in_dir("file");
	int fd = make_file(path, 4 * PAGE, 1), log = open(path, O_WRONLY | O_APPEND);
	char *shared = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	uint64_t page[PAGE / 8];

	NEED(shared != MAP_FAILED && log >= 0);
	fill(page, PAGE, 2);
	fill(shared + PAGE, PAGE, 3);
	NEED(pwrite(fd, page, PAGE, 2 * PAGE) == PAGE);

	hold();

	NEED(filled(shared, PAGE, 1) && filled(shared + PAGE, PAGE, 3) && filled(shared + 2 * PAGE, PAGE, 2));
	NEED(write(log, page, PAGE) == PAGE && filled(shared + 4 * PAGE, PAGE, 2));
	fill(shared + 3 * PAGE, PAGE, 4);
	NEED(lseek(fd, 3 * PAGE, SEEK_SET) == 3 * PAGE && read(fd, page, PAGE) == PAGE && filled(page, PAGE, 4));
	NEED(lseek(fd, 0, SEEK_END) == 5 * PAGE);
	return victim_end();
}
