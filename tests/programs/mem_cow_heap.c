/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_cow_heap.c - the heap grew in the child after fork, and shrank in the parent */
#include "state.h"

static char *heap;
static _Atomic unsigned int *steps;

static void work(void *unused)
{
	char *more = sbrk(4 * MIB), *end;

	(void)unused;
	NEED(more != (void *)-1);
	more = (char *)(((uintptr_t)more + 7) & ~(uintptr_t)7);
	fill(more, 4 * MIB - 8, 2);
	end = sbrk(0);
	step(steps);
	victim_wait();
	NEED(sbrk(0) == end);
	NEED(filled(heap, 4 * MIB, 1) && filled(more, 4 * MIB - 8, 2));
	NEED(sbrk(MIB) == end);
	memset(end, 1, MIB);
}

int main(void)
{
	pid_t pid;
	char *end;

	steps = map_shared(PAGE);
	heap = sbrk(4 * MIB);
	NEED(heap != (void *)-1);
	heap = (char *)(((uintptr_t)heap + 7) & ~(uintptr_t)7);
	NEED(sbrk(PAGE) != (void *)-1);
	fill(heap, 4 * MIB, 1);
	pid = victim_fork(work, NULL);
	step_wait(steps, 1);
	NEED(sbrk(-(intptr_t)(2 * MIB)) != (void *)-1);
	end = sbrk(0);

	hold();

	NEED(sbrk(0) == end && filled(heap, MIB, 1));
	NEED(sbrk(MIB) == end);
	NEED(all_zero((char *)(((uintptr_t)end + PAGE - 1) & ~(PAGE - 1)), MIB - PAGE));
	victim_join(pid);
	return victim_end();
}
