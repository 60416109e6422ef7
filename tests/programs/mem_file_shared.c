/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_file_shared.c - shared mapping of a file: writes reach the file, another process sees them */
#include "state.h"

#define PAGES 64

static char *memory;
static _Atomic unsigned int *steps;

static void work(void *unused)
{
	(void)unused;
	victim_wait();
	fill(memory + 2 * PAGE, PAGE, 42);
	step(steps);
}

int main(void)
{
	const char *path = in_dir("mapped");
	int fd = make_file(path, PAGES * PAGE, 5), again;
	pid_t pid;
	uint64_t page[PAGE / 8];

	steps = map_shared(PAGE);
	memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	NEED(memory != MAP_FAILED);
	close(fd);
	fill(memory, PAGE, 41);
	pid = victim_fork(work, NULL);

	hold();

	step_wait(steps, 1);
	NEED(filled(memory, PAGE, 41));
	NEED(filled(memory + 2 * PAGE, PAGE, 42));
	fill(memory + 5 * PAGE, PAGE, 43);
	NEED(msync(memory, PAGES * PAGE, MS_SYNC) == 0);
	again = open(path, O_RDONLY);
	NEED(again >= 0);
	NEED(pread(again, page, PAGE, 0) == PAGE && filled(page, PAGE, 41));
	NEED(pread(again, page, PAGE, 2 * PAGE) == PAGE && filled(page, PAGE, 42));
	NEED(pread(again, page, PAGE, 5 * PAGE) == PAGE && filled(page, PAGE, 43));
	victim_join(pid);
	return victim_end();
}
