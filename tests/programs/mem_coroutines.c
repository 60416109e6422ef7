/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_coroutines.c - coroutines on stacks of their own (ucontext): held inside one of them */
#include <ucontext.h>

#include "state.h"

#define ROUTINES 3
#define STACK (256 * KIB)

static ucontext_t back, contexts[ROUTINES];
static char *stacks[ROUTINES];
static unsigned int turns[ROUTINES];

static void routine(int who)
{
	uint64_t local[1024];

	fill(local, sizeof(local), (uint64_t)who);
	for (;;) {
		NEED(filled(local, sizeof(local), (uint64_t)who));
		turns[who]++;
		if (who == 1 && turns[who] == 500)
			hold();
		NEED(swapcontext(&contexts[who], &back) == 0);
	}
}

int main(void)
{
	for (volatile int i = 0; i < ROUTINES; i++) {
		NEED(getcontext(&contexts[i]) == 0);
		stacks[i] = i == 2 ? malloc(STACK) : map_private(STACK);
		contexts[i].uc_stack.ss_sp = stacks[i];
		contexts[i].uc_stack.ss_size = STACK;
		contexts[i].uc_link = &back;
		makecontext(&contexts[i], (void (*)(void))routine, 1, i);
	}
	for (int turn = 0; turn < 1000; turn++)
		for (int i = 0; i < ROUTINES; i++)
			NEED(swapcontext(&back, &contexts[i]) == 0);
	for (int i = 0; i < ROUTINES; i++)
		NEED(turns[i] == 1000);
	return victim_end();
}
