/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_cow.c - five children share most of their parent's memory after fork: content and sharing stay */
#include "state.h"

#define SIZE (100 * MIB)
#define CHILDREN 5

static char *memory;
static _Atomic unsigned int *steps;
static _Atomic long *pss; /* kB, of each process */

static long own_pss(void)
{
	FILE *file = fopen("/proc/self/smaps_rollup", "re");
	char line[256];
	long kb = -1;

	NEED(file);
	while (kb < 0 && fgets(line, sizeof(line), file))
		sscanf(line, "Pss: %ld", &kb);
	fclose(file);
	NEED(kb >= 0);
	return kb;
}

/* The pages that process who (0: the parent) changed after the last fork. */
static bool is_changed(size_t page, unsigned int who)
{
	return who && page % 2000 == 17 * who;
}

static void verify(unsigned int who)
{
	for (size_t page = 0; page < SIZE / PAGE; page++)
		NEED(filled(memory + page * PAGE, PAGE, is_changed(page, who) ? 100000 * who + page : page));
}

/* Sum over all processes, in the kB that each really has; all of them call this. */
static void check_sharing(unsigned int who, unsigned int round)
{
	long sum = 0;

	step(&steps[round]);
	step_wait(&steps[round], CHILDREN + 1);
	pss[who] = own_pss();
	step(&steps[round + 1]);
	step_wait(&steps[round + 1], CHILDREN + 1);
	for (unsigned int i = 0; i <= CHILDREN; i++)
		sum += pss[i];
	if (sum > 130 * 1024)
		GIVE_UP("100 MiB are shared by %d processes, which have %ld kB together", CHILDREN + 1, sum);
}

static void work(void *arg)
{
	unsigned int who = *(unsigned int *)arg;

	for (size_t page = 0; page < SIZE / PAGE; page++)
		if (is_changed(page, who))
			fill(memory + page * PAGE, PAGE, 100000 * who + page);
	check_sharing(who, 0);
	victim_wait();
	check_sharing(who, 2);
	verify(who);
	fill(memory + PAGE * who, PAGE, 7);
	step(&steps[4]);
	step_wait(&steps[4], CHILDREN + 1);
	for (unsigned int i = 0; i <= CHILDREN; i++)
		NEED(filled(memory + PAGE * i, PAGE, i == who ? 7 : i));
}

int main(void)
{
	pid_t children[CHILDREN + 1];

	steps = map_shared(PAGE);
	pss = map_shared(PAGE);
	memory = map_private(SIZE);
	for (size_t page = 0; page < SIZE / PAGE; page++)
		fill(memory + page * PAGE, PAGE, page);
	for (unsigned int who = 1; who <= CHILDREN; who++)
		children[who] = victim_fork(work, &who);
	check_sharing(0, 0);

	hold();

	check_sharing(0, 2);
	verify(0);
	fill(memory, PAGE, 7);
	step(&steps[4]);
	step_wait(&steps[4], CHILDREN + 1);
	for (unsigned int i = 1; i <= CHILDREN; i++)
		NEED(filled(memory + PAGE * i, PAGE, i));
	for (unsigned int who = 1; who <= CHILDREN; who++)
		victim_join(children[who]);
	return victim_end();
}
