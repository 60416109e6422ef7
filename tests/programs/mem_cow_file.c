/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_cow_file.c - a private file mapping changed before and after fork, by both */
#include "state.h"

#define PAGES 90

static char *memory;
static uint64_t *original;
static _Atomic unsigned int *steps;

static void verify(size_t own)
{
	for (size_t i = 0; i < PAGES; i++) {
		if (i % 10 == own)
			NEED(filled(memory + i * PAGE, PAGE, own * 1000 + i));
		else if (i % 10 == 1)
			NEED(filled(memory + i * PAGE, PAGE, 1000 + i));
		else
			NEED(memcmp(memory + i * PAGE, (char *)original + i * PAGE, PAGE) == 0);
	}
}

static void work(void *unused)
{
	(void)unused;
	for (size_t i = 2; i < PAGES; i += 10)
		fill(memory + i * PAGE, PAGE, 2000 + i);
	step(steps);
	victim_wait();
	verify(2);
}

int main(void)
{
	int fd = make_file(in_dir("mapped"), PAGES * PAGE, 5);
	pid_t pid;

	steps = map_shared(PAGE);
	original = malloc(PAGES * PAGE);
	fill(original, PAGES * PAGE, 5);
	memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	NEED(memory != MAP_FAILED);
	for (size_t i = 1; i < PAGES; i += 10)
		fill(memory + i * PAGE, PAGE, 1000 + i);
	pid = victim_fork(work, NULL);
	for (size_t i = 3; i < PAGES; i += 10)
		fill(memory + i * PAGE, PAGE, 3000 + i);
	step_wait(steps, 1);
	hold();
	verify(3);
	victim_join(pid);
	NEED(file_filled(fd, PAGES * PAGE, 5));
	return victim_end();
}
