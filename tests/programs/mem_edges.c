/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_edges.c - mappings at the lowest and the highest addresses that a program can have */
#include "state.h"

static char *map_at(uintptr_t address)
{
	char *memory = mmap((void *)address, PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

int main(void)
{
	/* vm.mmap_min_addr is 64 KiB; the last page of user space can't be mapped. */
	char *low = map_at(64 * KIB), *high = map_at(0x7fffffffe000);

	if (!low && !high)
		victim_skip("neither end of the address space is free");
	if (low)
		fill(low, PAGE, 1);
	if (high)
		fill(high, PAGE, 2);
	hold();
	NEED(!low || filled(low, PAGE, 1));
	NEED(!high || filled(high, PAGE, 2));
	return victim_end();
}
