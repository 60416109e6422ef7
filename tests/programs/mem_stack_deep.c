/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_stack_deep.c - a deep stack holds its content and can be unwound
 *
 * unsettled: maps vmflags (where the stack pointer is near its end, the kernel enlarges the stack for the
 *	frame that brings the thread home, as it would for a signal)
 */
#include "state.h"

static uint64_t descend(unsigned int levels)
{
	uint64_t local[512], sum;

	fill(local, sizeof(local), levels);
	if (levels == 0) {
		hold();
		return 0;
	}
	sum = descend(levels - 1) + 1;
	NEED(filled(local, sizeof(local), levels));
	return sum;
}

int main(void)
{
	NEED(descend(1000) == 1000);
	return victim_end();
}
