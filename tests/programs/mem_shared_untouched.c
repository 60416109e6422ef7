/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_shared_untouched.c - shared memory that those who have it have not touched: it was written by a child
 * that has ended, by a parent that has unmapped it, and by themselves before they dropped the pages
 */
#include "state.h"

#define SIZE (256 * KIB)

static char *from_child, *from_parent, *dropped;
static _Atomic unsigned int *steps;

static void write_and_end(void *unused)
{
	fill(from_child, SIZE, 1);
}

static void heir(void *unused)
{
	step(steps);
	victim_wait();
	check(filled(from_parent, SIZE, 2), "what the parent wrote is another");
}

int main(void)
{
	pid_t pid;

	steps = map_shared(PAGE);
	from_child = map_shared(SIZE);
	from_parent = map_shared(SIZE);
	dropped = map_shared(SIZE);
	victim_join(victim_fork(write_and_end, NULL));
	fill(from_parent, SIZE, 2);
	fill(dropped, SIZE, 3);
	NEED(madvise(dropped, SIZE, MADV_DONTNEED) == 0);
	pid = victim_fork(heir, NULL);
	step_wait(steps, 1);
	NEED(munmap(from_parent, SIZE) == 0);
	hold();
	check(filled(from_child, SIZE, 1), "what the child wrote is another");
	check(filled(dropped, SIZE, 3), "what was dropped is another");
	victim_join(pid);
	return victim_end();
}
