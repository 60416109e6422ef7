/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_many.c - fifty thousand mappings */
#include "state.h"

#define MAPPINGS 50000

/* Counts mappings of one page in the area, and checks that protections alternate. */
static size_t count(const char *memory)
{
	FILE *file = fopen("/proc/self/maps", "re");
	unsigned long start, end, base = (unsigned long)memory;
	char line[8192], rights[8];
	size_t found = 0;

	NEED(file);
	while (fgets(line, sizeof(line), file)) {
		NEED(sscanf(line, "%lx-%lx %7s", &start, &end, rights) == 3);
		if (start < base || end > base + MAPPINGS * PAGE)
			continue;
		NEED(end - start == PAGE);
		NEED(!strcmp(rights, (start - base) / PAGE % 2 ? "r--p" : "rw-p"));
		found++;
	}
	fclose(file);
	return found;
}

int main(void)
{
	char *memory = map_private((MAPPINGS + 2) * PAGE);

	/* A mapping of another kind on both sides, so that no neighbour joins the area. */
	NEED(mprotect(memory, PAGE, PROT_NONE) == 0);
	NEED(mprotect(memory + (MAPPINGS + 1) * PAGE, PAGE, PROT_NONE) == 0);
	memory += PAGE;
	for (size_t i = 0; i < MAPPINGS; i++) {
		if (i % 10 < 2)
			fill(memory + i * PAGE, PAGE, i);
		if (i % 2 && mprotect(memory + i * PAGE, PAGE, PROT_READ) < 0)
			victim_skip("sysctl vm.max_map_count allows only %zu mappings", i);
	}
	NEED(count(memory) == MAPPINGS);

	hold();

	NEED(count(memory) == MAPPINGS);
	for (size_t i = 0; i < MAPPINGS; i++) {
		if (i % 10 < 2)
			NEED(filled(memory + i * PAGE, PAGE, i));
		else
			NEED(memory[i * PAGE] == 0);
	}
	return victim_end();
}
