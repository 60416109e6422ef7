/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_stack_grow.c - the stack grows afterwards, up to its limit */
#include "state.h"

static uint64_t deeper(unsigned int levels)
{
	volatile uint64_t local[128]; /* 1 KiB */

	for (int i = 0; i < 128; i++)
		local[i] = mix(levels + i);
	if (levels == 0)
		return 0;
	return deeper(levels - 1) + local[levels % 128] - mix(levels + levels % 128);
}

int main(void)
{
	volatile char here = 0;
	long before;

	NEED(deeper(100) == 0);
	before = smaps_kb((const void *)&here, "Size");
	hold();
	NEED(smaps_kb((const void *)&here, "Size") == before);
	NEED(deeper(5000) == 0);
	NEED(smaps_kb((const void *)&here, "Size") >= 5000);
	return victim_end();
}
