/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_fork_advice.c - memory that fork leaves out or wipes: for the child that is there, and for later ones */
#include "state.h"

#define SIZE (16 * PAGE)

static char *left_out, *wiped, *ordinary;
static _Atomic unsigned int *steps;

static bool is_mapped(void *address)
{
	unsigned char vector;

	return mincore(address, PAGE, &vector) == 0;
}

static void early(void *unused)
{
	(void)unused;
	NEED(!is_mapped(left_out) && all_zero(wiped, SIZE));
	/* What fork left out is free: memory of the child's own goes there. */
	NEED(mmap(left_out, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == left_out);
	fill(left_out, PAGE, 10);
	fill(wiped, PAGE, 11);
	step(steps);
	victim_wait();
	NEED(filled(left_out, PAGE, 10) && !is_mapped(left_out + PAGE));
	NEED(filled(wiped, PAGE, 11) && all_zero(wiped + PAGE, SIZE - PAGE));
	NEED(filled(ordinary, SIZE, 3));
}

static void late(void *unused)
{
	(void)unused;
	NEED(!is_mapped(left_out) && all_zero(wiped, SIZE) && filled(ordinary, SIZE, 3));
}

int main(void)
{
	pid_t pid;

	steps = map_shared(PAGE);
	left_out = map_private(SIZE);
	wiped = map_private(SIZE);
	ordinary = map_private(SIZE);
	fill(left_out, SIZE, 1);
	fill(wiped, SIZE, 2);
	fill(ordinary, SIZE, 3);
	NEED(madvise(left_out, SIZE, MADV_DONTFORK) == 0 && madvise(wiped, SIZE, MADV_WIPEONFORK) == 0);
	pid = victim_fork(early, NULL);
	step_wait(steps, 1);

	hold();

	NEED(filled(left_out, SIZE, 1) && filled(wiped, SIZE, 2) && filled(ordinary, SIZE, 3));
	victim_join(victim_fork(late, NULL));
	victim_join(pid);
	return victim_end();
}
