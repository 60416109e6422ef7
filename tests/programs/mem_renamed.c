/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_renamed.c - the mapped file was renamed, and then replaced under its old name */
#include "state.h"

#define SIZE (16 * PAGE)

int main(void)
{
	char *old = in_dir("old"), *new = in_dir("new");
	char *shared, *private;
	int fd;

	fd = make_file(old, SIZE, 1);
	shared = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	private = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	NEED(shared != MAP_FAILED && private != MAP_FAILED);
	close(fd);
	fill(private, PAGE, 2);
	NEED(rename(old, new) == 0);
	close(make_file(old, SIZE, 3));

	hold();

	NEED(filled(shared, SIZE, 1) && filled(private, PAGE, 2));
	fill(shared, SIZE, 4);
	fd = open(new, O_RDONLY);
	NEED(file_filled(fd, SIZE, 4));
	close(fd);
	fd = open(old, O_RDONLY);
	NEED(file_filled(fd, SIZE, 3));
	return victim_end();
}
