/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_edges.c - mappings at the lowest and the highest addresses that a program can have */
#include "state.h"

static char *map_at(uintptr_t address)
{
	char *memory = mmap((void *)address, PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	return memory;
}

int main(void)
{
	/* Below vm.mmap_min_addr with CAP_SYS_RAWIO only. */
	static const uintptr_t wanted[] = { 0, 64 * KIB, 0x7fffffffe000 };
	char *pages[COUNT(wanted)];
	bool any = false;

	for (size_t i = 0; i < COUNT(wanted); i++) {
		pages[i] = map_at(wanted[i]);
		any = any || pages[i] != MAP_FAILED;
		if (pages[i] != MAP_FAILED)
			fill(pages[i], PAGE, i);
	}
	if (!any)
		victim_skip("neither end of the address space is free");
	hold();
	for (size_t i = 0; i < COUNT(wanted); i++)
		check(pages[i] == MAP_FAILED || filled(pages[i], PAGE, i), "the content at 0x%lx differs", wanted[i]);
	return victim_end();
}
