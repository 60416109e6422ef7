/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_guard.c - guard regions (MADV_GUARD_INSTALL) between pages with content */
#include "state.h"

#define PAGES 64

int main(void)
{
	char *memory = map_private(PAGES * PAGE);

	for (size_t i = 0; i < PAGES; i++)
		fill(memory + i * PAGE, PAGE, i);
	if (madvise(memory + 10 * PAGE, 5 * PAGE, MADV_GUARD_INSTALL) < 0)
		victim_skip("the kernel has no guard regions");
	NEED(madvise(memory, PAGE, MADV_GUARD_INSTALL) == 0);
	NEED(madvise(memory + (PAGES - 1) * PAGE, PAGE, MADV_GUARD_INSTALL) == 0);

	hold();

	for (size_t i = 0; i < PAGES; i++) {
		if (i == 0 || (i >= 10 && i < 15) || i == PAGES - 1)
			NEED(signal_of_access(memory + i * PAGE, false) == SIGSEGV);
		else
			NEED(filled(memory + i * PAGE, PAGE, i));
	}
	NEED(madvise(memory, PAGES * PAGE, MADV_GUARD_REMOVE) == 0);
	NEED(all_zero(memory, PAGE) && all_zero(memory + 10 * PAGE, 5 * PAGE));
	NEED(filled(memory + 20 * PAGE, PAGE, 20));
	return victim_end();
}
