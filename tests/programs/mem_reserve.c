/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_reserve.c - reservations of terabytes with few pages in them */
#include "state.h"

#define SIZE (4096 * GIB)
#define TOUCHED 300

static size_t place(size_t i)
{
	return mix(i) % (SIZE / PAGE) * PAGE;
}

int main(void)
{
	char *none = map(SIZE, PROT_NONE, MAP_PRIVATE | MAP_NORESERVE);
	char *usable = map(SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE);
	long resident;

	for (size_t i = 0; i < TOUCHED; i++)
		fill(usable + place(i), PAGE, i);
	for (size_t i = 0; i < 10; i++) {
		NEED(mprotect(none + i * 100 * GIB, 2 * PAGE, PROT_READ | PROT_WRITE) == 0);
		fill(none + i * 100 * GIB, PAGE, 1000 + i);
	}
	resident = smaps_kb(usable, "Rss");

	hold();

	for (size_t i = 0; i < TOUCHED; i++)
		NEED(filled(usable + place(i), PAGE, i));
	NEED(smaps_kb(usable, "Rss") <= resident);
	for (size_t i = 0; i < 10; i++) {
		NEED(filled(none + i * 100 * GIB, PAGE, 1000 + i));
		NEED(all_zero(none + i * 100 * GIB + PAGE, PAGE));
		NEED(signal_of_access(none + i * 100 * GIB + 2 * PAGE, false) == SIGSEGV);
	}
	usable[SIZE - 1] = 1;
	return victim_end();
}
