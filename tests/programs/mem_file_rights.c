/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_file_rights.c - a shared mapping of a file opened for reading can't become writable afterwards */
#include "state.h"

int main(void)
{
	const char *path = in_dir("mapped");
	char *reading, *writing, *private;
	int fd;

	close(make_file(path, 4 * PAGE, 5));
	fd = open(path, O_RDONLY);
	NEED(fd >= 0);
	reading = mmap(NULL, 4 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	private = mmap(NULL, 4 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	fd = open(path, O_RDWR);
	NEED(fd >= 0);
	writing = mmap(NULL, 4 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	NEED(reading != MAP_FAILED && writing != MAP_FAILED && private != MAP_FAILED);

	hold();

	NEED(filled(reading, 4 * PAGE, 5) && filled(writing, 4 * PAGE, 5) && filled(private, 4 * PAGE, 5));
	NEED(mprotect(reading, 4 * PAGE, PROT_READ | PROT_WRITE) == -1 && errno == EACCES);
	NEED(mprotect(private, 4 * PAGE, PROT_READ | PROT_WRITE) == 0);
	fill(private, 4 * PAGE, 6);
	NEED(filled(reading, 4 * PAGE, 5));
	NEED(mprotect(writing, 4 * PAGE, PROT_READ | PROT_WRITE) == 0);
	fill(writing, 4 * PAGE, 7);
	NEED(filled(reading, 4 * PAGE, 7) && filled(private, 4 * PAGE, 6));
	return victim_end();
}
