/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_file_private.c - private mapping of a file: changed pages are own, others still show the file */
#include "state.h"

#define PAGES 64

int main(void)
{
	const char *path = in_dir("mapped");
	int fd = make_file(path, PAGES * PAGE, 5);
	char *memory = mmap(NULL, (PAGES - 8) * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 8 * PAGE);
	char *original = malloc(PAGES * PAGE);
	char byte = '!';

	NEED(memory != MAP_FAILED);
	fill(original, PAGES * PAGE, 5);
	for (size_t i = 0; i < PAGES - 8; i += 4)
		fill(memory + i * PAGE, PAGE, 100 + i);
	close(fd);

	hold();

	for (size_t i = 0; i < PAGES - 8; i++) {
		if (i % 4 == 0)
			NEED(filled(memory + i * PAGE, PAGE, 100 + i));
		else
			NEED(memcmp(memory + i * PAGE, original + (8 + i) * PAGE, PAGE) == 0);
	}
	fd = open(path, O_RDWR);
	NEED(fd >= 0);
	NEED(file_filled(fd, PAGES * PAGE, 5)); /* nothing of it went to the file */
	NEED(pwrite(fd, &byte, 1, (8 + 1) * PAGE) == 1 && memory[1 * PAGE] == '!');
	NEED(pwrite(fd, &byte, 1, (8 + 4) * PAGE) == 1);
	NEED(filled(memory + 4 * PAGE, PAGE, 104));
	return victim_end();
}
