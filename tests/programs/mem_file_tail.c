/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_file_tail.c - a mapping reaches beyond the end of its file: SIGBUS there, content once it grows */
#include "state.h"

int main(void)
{
	const char *path = in_dir("mapped");
	int fd = make_file(path, 2 * PAGE + 800, 5);
	char *shared = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	char *private = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);

	NEED(shared != MAP_FAILED && private != MAP_FAILED);
	fill(private + PAGE, PAGE, 6);

	hold();

	NEED(filled(shared, 2 * PAGE + 800, 5));
	NEED(filled(private, PAGE, 5) && filled(private + PAGE, PAGE, 6));
	NEED(signal_of_access(shared + 4 * PAGE, false) == SIGBUS);
	NEED(signal_of_access(private + 4 * PAGE, false) == SIGBUS);
	NEED(ftruncate(fd, 16 * PAGE) == 0);
	fill(shared + 4 * PAGE, PAGE, 7);
	NEED(filled(private + 4 * PAGE, PAGE, 7));
	return victim_end();
}
