/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_anon.c - private anonymous memory: content, holes, pages of zeros, all protections */
#include "state.h"

#define PAGES 256

int main(void)
{
	char *holes = map_private(PAGES * PAGE);
	char *zeros = map_private(PAGES * PAGE);
	char *read_only = map_private(PAGES * PAGE);
	char *executable = map_private(PAGES * PAGE);
	char *never_touched = map_private(PAGES * PAGE);
	volatile const char *only_read = map_private(PAGES * PAGE);

	for (size_t i = 0; i < PAGES; i += 3)
		fill(holes + i * PAGE, PAGE, i);
	memset(zeros, 0, PAGES * PAGE);
	zeros[PAGES * PAGE - 1] = 1;
	fill(read_only, PAGES * PAGE, 1000);
	NEED(mprotect(read_only, PAGES * PAGE, PROT_READ) == 0);
	fill(executable, PAGES * PAGE, 2000);
	NEED(mprotect(executable, PAGES * PAGE, PROT_READ | PROT_EXEC) == 0);
	for (size_t i = 0; i < PAGES; i++)
		NEED(only_read[i * PAGE] == 0);

	hold();

	for (size_t i = 0; i < PAGES; i++) {
		if (i % 3 == 0)
			NEED(filled(holes + i * PAGE, PAGE, i));
		else
			NEED(all_zero(holes + i * PAGE, PAGE));
	}
	NEED(all_zero(zeros, PAGES * PAGE - 1) && zeros[PAGES * PAGE - 1] == 1);
	NEED(filled(read_only, PAGES * PAGE, 1000));
	NEED(signal_of_access(read_only, true) == SIGSEGV);
	NEED(filled(executable, PAGES * PAGE, 2000));
	NEED(signal_of_access(executable, true) == SIGSEGV);
	NEED(all_zero(never_touched, PAGES * PAGE));
	NEED(all_zero((const char *)only_read, PAGES * PAGE));
	fill(never_touched, PAGES * PAGE, 3000);
	NEED(filled(never_touched, PAGES * PAGE, 3000));
	return victim_end();
}
