/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_growsdown.c - a mapping that grows downwards (MAP_GROWSDOWN) goes on growing */
#include "state.h"

int main(void)
{
	char *room = map(32 * MIB, PROT_NONE, MAP_PRIVATE), *memory = room + 31 * MIB;
	long before;

	NEED(munmap(room, 32 * MIB) == 0);
	NEED(mmap(memory, 64 * KIB, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_GROWSDOWN, -1, 0) == memory);
	fill(memory, 64 * KIB, 1);
	fill(memory - 4 * PAGE, 4 * PAGE, 2); /* grows already here */
	before = smaps_kb(memory, "Size");
	NEED(before >= 80);

	hold();

	NEED(smaps_kb(memory, "Size") == before);
	NEED(filled(memory, 64 * KIB, 1) && filled(memory - 4 * PAGE, 4 * PAGE, 2));
	for (size_t i = 5; i < 100; i++)
		fill(memory - i * PAGE, PAGE, i);
	NEED(smaps_kb(memory, "Size") >= 64 + 99 * 4);
	NEED(filled(memory - 50 * PAGE, PAGE, 50));
	return victim_end();
}
