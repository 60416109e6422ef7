/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_thp.c - transparent huge pages are huge afterwards, too */
#include "state.h"

#define HUGE (2 * MIB)
#define PAGES 8

int main(void)
{
	char *memory = map_private((PAGES + 1) * HUGE);
	long before, after;

	memory = (char *)(((uintptr_t)memory + HUGE - 1) & ~(HUGE - 1));
	NEED(madvise(memory, PAGES * HUGE, MADV_HUGEPAGE) == 0);
	fill(memory, PAGES / 2 * HUGE, 1);
	before = smaps_kb(memory, "AnonHugePages");
	if (before <= 0)
		victim_skip("the kernel gave no huge pages");

	hold();

	NEED(filled(memory, PAGES / 2 * HUGE, 1));
	after = smaps_kb(memory, "AnonHugePages");
	if (after < before / 2)
		GIVE_UP("%ld kB in huge pages before, %ld after", before, after);
	NEED(all_zero(memory + PAGES / 2 * HUGE, PAGES / 2 * HUGE));
	return victim_end();
}
