/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_dontneed.c - pages given back with MADV_DONTNEED stay away */
#include "state.h"

#define PAGES 512

int main(void)
{
	char *memory = map_private(PAGES * PAGE), *shared = map_shared(PAGES * PAGE);
	long resident;

	for (size_t i = 0; i < PAGES; i++) {
		fill(memory + i * PAGE, PAGE, i);
		fill(shared + i * PAGE, PAGE, i);
	}
	for (size_t i = 0; i < PAGES; i += 2) {
		NEED(madvise(memory + i * PAGE, PAGE, MADV_DONTNEED) == 0);
		NEED(madvise(shared + i * PAGE, PAGE, MADV_REMOVE) == 0);
	}
	resident = smaps_kb(memory, "Rss");

	hold();

	NEED(smaps_kb(memory, "Rss") <= resident);
	for (size_t i = 0; i < PAGES; i++) {
		if (i % 2 == 0)
			NEED(all_zero(memory + i * PAGE, PAGE) && all_zero(shared + i * PAGE, PAGE));
		else
			NEED(filled(memory + i * PAGE, PAGE, i) && filled(shared + i * PAGE, PAGE, i));
	}
	return victim_end();
}
