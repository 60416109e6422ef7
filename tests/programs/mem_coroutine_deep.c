/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_coroutine_deep.c - held on a stack of its own, while the main stack is in use to its last byte
 *
 * unsettled: maps vmflags (the main stack may grow, as it would for a signal)
 */
#include <ucontext.h>

#include "state.h"

#define STACK (64 * KIB)
#define DEPTH 200
#define WORDS 512 /* of a frame: a page */

static ucontext_t here, there;

static void routine(void)
{
	hold();
	NEED(swapcontext(&there, &here) == 0);
}

static __attribute__((noinline)) void descend(int depth)
{
	uint64_t local[WORDS];

	fill(local, sizeof(local), (uint64_t)depth);
	if (depth < DEPTH)
		descend(depth + 1);
	else
		NEED(swapcontext(&here, &there) == 0);
	NEED(filled(local, sizeof(local), (uint64_t)depth));
}

int main(void)
{
	NEED(getcontext(&there) == 0);
	there.uc_stack.ss_sp = map_private(STACK);
	there.uc_stack.ss_size = STACK;
	there.uc_link = &here;
	makecontext(&there, routine, 0);
	descend(0);
	return victim_end();
}
