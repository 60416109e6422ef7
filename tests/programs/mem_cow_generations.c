/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_cow_generations.c - copy-on-write memory over four generations with siblings in each */
#include "state.h"

#define PAGES 600
#define DEPTH 3
#define SIBLINGS 2

static char *memory;
static uint64_t seeds[PAGES]; /* what each page holds, itself copied on write */
static _Atomic unsigned int *steps;
static unsigned int processes;

static void change(uint64_t name, size_t first, size_t stride)
{
	for (size_t i = first; i < PAGES; i += stride) {
		seeds[i] = name * 10000 + i;
		fill(memory + i * PAGE, PAGE, seeds[i]);
	}
}

static void verify(void)
{
	for (size_t i = 0; i < PAGES; i++)
		NEED(filled(memory + i * PAGE, PAGE, seeds[i]));
}

static void live(uint64_t name, unsigned int depth)
{
	pid_t children[SIBLINGS];

	change(name, depth, 7 + depth);
	for (unsigned int i = 0; depth < DEPTH && i < SIBLINGS; i++) {
		children[i] = fork();
		NEED(children[i] >= 0);
		if (children[i] == 0) {
			live(name * 10 + i + 1, depth + 1);
			_exit(0);
		}
		change(name * 10, i, 31); /* between the forks: a sibling is not as its elder */
	}
	step(steps);
	if (name == 1) {
		step_wait(steps, processes);
		hold();
	} else {
		victim_wait();
	}
	verify();
	change(name * 100, 3, 5);
	verify();
	for (unsigned int i = 0; depth < DEPTH && i < SIBLINGS; i++)
		victim_join(children[i]);
}

int main(void)
{
	steps = map_shared(PAGE);
	memory = map_private(PAGES * PAGE);
	for (unsigned int depth = 0, count = 1; depth <= DEPTH; depth++, count *= SIBLINGS)
		processes += count;
	change(0, 0, 1);
	live(1, 0);
	return victim_end();
}
