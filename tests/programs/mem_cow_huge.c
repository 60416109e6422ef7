/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_cow_huge.c - huge pages shared with a child after fork, in which both changed a few bytes */
#include "state.h"

#define HUGE (2 * MIB)
#define PAGES 8

static char *memory;
static _Atomic unsigned int *steps;

static void verify(unsigned int changed)
{
	for (size_t i = 0; i < PAGES * HUGE / PAGE; i++)
		NEED(filled(memory + i * PAGE, PAGE, i == changed ? 1000000 : i));
}

static void work(void *unused)
{
	fill(memory + 100 * PAGE, PAGE, 1000000);
	step(steps);
	victim_wait();
	verify(100);
}

int main(void)
{
	pid_t pid;

	steps = map_shared(PAGE);
	memory = map_private((PAGES + 1) * HUGE);
	memory = (char *)(((uintptr_t)memory + HUGE - 1) & ~(HUGE - 1));
	NEED(madvise(memory, PAGES * HUGE, MADV_HUGEPAGE) == 0);
	for (size_t i = 0; i < PAGES * HUGE / PAGE; i++)
		fill(memory + i * PAGE, PAGE, i);
	pid = victim_fork(work, NULL);
	step_wait(steps, 1);
	fill(memory + 2000 * PAGE, PAGE, 1000000);
	hold();
	verify(2000);
	victim_join(pid);
	return victim_end();
}
