/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_shared.c - shared anonymous memory between a parent and two children, in both directions */
#include "state.h"

#define SIZE (4 * MIB)

struct common {
	_Atomic unsigned int written[3], seen;
	char *memory;
};

static void work(struct common *common, unsigned int who)
{
	char *third = common->memory + who * SIZE;

	NEED(filled(third, SIZE, who));
	fill(third, SIZE, 10 + who);
	step(&common->written[who]);
	for (unsigned int other = 0; other < 3; other++) {
		step_wait(&common->written[other], 1);
		NEED(filled(common->memory + other * SIZE, SIZE, 10 + other));
	}
	step(&common->seen);
	step_wait(&common->seen, 3);
}

static void first(void *common)
{
	victim_wait();
	work(common, 1);
}

static void second(void *common)
{
	victim_wait();
	work(common, 2);
}

int main(void)
{
	struct common *common = map_shared(sizeof(*common));
	pid_t children[2];

	common->memory = map_shared(4 * SIZE);
	for (unsigned int who = 0; who < 3; who++)
		fill(common->memory + who * SIZE, SIZE, who);
	children[0] = victim_fork(first, common);
	children[1] = victim_fork(second, common);
	hold();
	work(common, 0);
	NEED(all_zero(common->memory + 3 * SIZE, SIZE));
	victim_join(children[0]);
	victim_join(children[1]);
	return victim_end();
}
