/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_cow_siblings.c - children and a grandchild share pages that their parent has overwritten since: they are
 * in memory once, before and after
 */
#include "state.h"

#define SIZE (2 * MIB)
#define SHARERS 4 /* two children, one of which has two of its own */

static char *memory;
static _Atomic unsigned int *steps;

static void share(void)
{
	victim_here();
	victim_wait();
	check(filled(memory, SIZE, 1), "the content differs");
	step(steps);
	step_wait(steps, SHARERS + 1);
	check(smaps_kb(memory, "Pss") <= (long)(SIZE / KIB / SHARERS * 3 / 2), "Pss is %ld kB, of %zu kB",
	      smaps_kb(memory, "Pss"), SIZE / KIB);
	step(steps);
	step_wait(steps, 2 * SHARERS + 1);
}

static void lonely(void *unused)
{
	share();
}

static void with_children(void *unused)
{
	pid_t pids[] = { victim_fork(lonely, NULL), victim_fork(lonely, NULL) };

	share();
	victim_join(pids[0]);
	victim_join(pids[1]);
}

int main(void)
{
	steps = map_shared(PAGE);
	memory = map(SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	NEED(madvise(memory, SIZE, MADV_NOHUGEPAGE) == 0);
	fill(memory, SIZE, 1);
	victim_gate();
	pid_t pids[] = { victim_fork(lonely, NULL), victim_fork(with_children, NULL) };
	victim_all_here(SHARERS);
	fill(memory, SIZE - PAGE, 2);
	memset(memory + SIZE - PAGE, 0, PAGE);

	hold();

	step(steps);
	check(filled(memory, SIZE - PAGE, 2) && all_zero(memory + SIZE - PAGE, PAGE), "the parent's content differs");
	victim_join(pids[0]);
	victim_join(pids[1]);
	return victim_end();
}
