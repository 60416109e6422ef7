/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_cow_both.c - after fork parent and child changed different pages, and some of the same */
#include "state.h"

#define PAGES 512

static char *memory;
static _Atomic unsigned int *steps;

static void work(void *unused)
{
	(void)unused;
	for (size_t i = 0; i < PAGES; i += 3)
		fill(memory + i * PAGE, PAGE, 1000 + i);
	memset(memory + PAGE, 0, PAGE); /* a page that only the child has as zeros */
	NEED(madvise(memory + 2 * PAGE, PAGE, MADV_DONTNEED) == 0);
	step(steps);
	victim_wait();
	NEED(all_zero(memory + PAGE, 2 * PAGE));
	for (size_t i = 3; i < PAGES; i++)
		NEED(filled(memory + i * PAGE, PAGE, i % 3 == 0 ? 1000 + i : i));
}

int main(void)
{
	pid_t pid;

	steps = map_shared(PAGE);
	memory = map_private(PAGES * PAGE);
	for (size_t i = 0; i < PAGES; i++)
		fill(memory + i * PAGE, PAGE, i);
	pid = victim_fork(work, NULL);
	for (size_t i = 0; i < PAGES; i += 5)
		fill(memory + i * PAGE, PAGE, 2000 + i);
	memset(memory + 4 * PAGE, 0, PAGE);
	NEED(madvise(memory + 7 * PAGE, PAGE, MADV_DONTNEED) == 0);
	step_wait(steps, 1);

	hold();

	for (size_t i = 0; i < PAGES; i++) {
		if (i == 4 || i == 7)
			NEED(all_zero(memory + i * PAGE, PAGE));
		else
			NEED(filled(memory + i * PAGE, PAGE, i % 5 == 0 ? 2000 + i : i));
	}
	victim_join(pid);
	return victim_end();
}
