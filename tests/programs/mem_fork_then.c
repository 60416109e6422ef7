/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_fork_then.c - what was advised, locked, guarded or sealed after fork is so in that process alone */
#include "state.h"

#define SIZE (16 * PAGE)

enum { PLAIN, RANDOM, LEFT_OUT, WIPED, NOT_DUMPED, HUGE, NOT_HUGE, LOCKED, GUARDED, SEALED, KINDS };

/* Two of each kind: the parent changes the first, the child the second. */
#define AREAS (2 * KINDS)

static char *areas[AREAS];
static _Atomic unsigned int *steps;
static bool guards, seals;

static void make_different(bool parent)
{
	for (int kind = PLAIN + 1; kind < KINDS; kind++) {
		char *area = areas[2 * kind + !parent];

		if (kind == RANDOM)
			NEED(madvise(area, SIZE, MADV_RANDOM) == 0);
		else if (kind == LEFT_OUT)
			NEED(madvise(area, SIZE, MADV_DONTFORK) == 0);
		else if (kind == WIPED)
			NEED(madvise(area, SIZE, MADV_WIPEONFORK) == 0);
		else if (kind == NOT_DUMPED)
			NEED(madvise(area, SIZE, MADV_DONTDUMP) == 0);
		else if (kind == HUGE || kind == NOT_HUGE) /* not every kernel has them */
			(void)!madvise(area, SIZE, kind == HUGE ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
		else if (kind == LOCKED)
			NEED(mlock(area, SIZE) == 0);
		else if (kind == GUARDED)
			guards = madvise(area + 4 * PAGE, 4 * PAGE, MADV_GUARD_INSTALL) == 0;
		else if (kind == SEALED)
			seals = syscall(SYS_mseal, area, SIZE, 0) == 0;
	}
}

static void live(bool parent)
{
	char before[AREAS][256], after[256];

	make_different(parent);
	for (int i = 0; i < AREAS; i++)
		smaps_flags(areas[i], before[i]);
	step(steps);
	if (parent) {
		step_wait(steps, 2);
		hold();
	} else {
		victim_wait();
	}
	for (int i = 0; i < AREAS; i++) {
		smaps_flags(areas[i], after);
		if (strcmp(before[i], after))
			GIVE_UP("flags of area %d were %s, are %s", i, before[i], after);
		if (i == 2 * GUARDED + !parent && guards) {
			NEED(filled(areas[i], 4 * PAGE, i));
			NEED(signal_of_access(areas[i] + 4 * PAGE, false) == SIGSEGV);
		} else {
			NEED(filled(areas[i], SIZE, i));
		}
		NEED((munmap(areas[i], PAGE) == -1) == (i == 2 * SEALED + !parent && seals));
	}
}

static void work(void *unused)
{
	live(false);
}

int main(void)
{
	pid_t pid;

	steps = map_shared(PAGE);
	for (int i = 0; i < AREAS; i++) {
		/* A gap keeps the areas apart. */
		areas[i] = map_private(SIZE + PAGE);
		NEED(munmap(areas[i] + SIZE, PAGE) == 0);
		fill(areas[i], SIZE, i);
	}
	pid = victim_fork(work, NULL);
	live(true);
	victim_join(pid);
	return victim_end();
}
