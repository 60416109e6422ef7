/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_shared_windows.c - processes see different parts of shared memory, at different addresses */
#include "state.h"

#define PAGES 64

static _Atomic unsigned int *steps;
static char *memory;

/* Has only the second half, moved to another place, and the first page once more at the end. */
static void work(void *unused)
{
	char *target = map_private(2 * PAGES * PAGE);
	char *half = mremap(memory + PAGES / 2 * PAGE, PAGES / 2 * PAGE, PAGES / 2 * PAGE,
			    MREMAP_MAYMOVE | MREMAP_FIXED, target);

	(void)unused;
	NEED(half == target);
	NEED(munmap(memory + PAGE, (PAGES / 2 - 1) * PAGE) == 0);
	NEED(mprotect(memory, PAGE, PROT_READ) == 0);
	/* The place of the second half gets memory of its own. */
	NEED(mmap(memory + PAGES / 2 * PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		  0) == memory + PAGES / 2 * PAGE);
	fill(memory + PAGES / 2 * PAGE, PAGE, 99);
	step(steps);
	victim_wait();
	NEED(filled(memory, PAGE, 0));
	NEED(filled(memory + PAGES / 2 * PAGE, PAGE, 99));
	for (size_t i = 0; i < PAGES / 2; i++)
		NEED(filled(half + i * PAGE, PAGE, PAGES / 2 + i));
	fill(half, PAGE, 77);
	step(steps);
	step_wait(steps, 3);
	NEED(filled(memory, PAGE, 88));
}

int main(void)
{
	pid_t pid;

	steps = map_shared(PAGE);
	memory = map_shared(PAGES * PAGE);
	for (size_t i = 0; i < PAGES; i++)
		fill(memory + i * PAGE, PAGE, i);
	pid = victim_fork(work, NULL);
	step_wait(steps, 1);
	hold();
	step_wait(steps, 2);
	for (size_t i = 0; i < PAGES; i++)
		NEED(filled(memory + i * PAGE, PAGE, i == PAGES / 2 ? 77 : i));
	fill(memory, PAGE, 88);
	step(steps);
	victim_join(pid);
	return victim_end();
}
