/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_name.c - names of anonymous mappings (PR_SET_VMA_ANON_NAME) */
#include "state.h"

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d61
#define PR_SET_VMA_ANON_NAME 0
#endif

int main(void)
{
	char *memory = map_private(16 * PAGE), *shared = map_shared(16 * PAGE);
	char line[8192];

	if (prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, memory, 8 * PAGE, "a name") < 0)
		victim_skip("the kernel has no names for anonymous mappings");
	NEED(prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, shared, 8 * PAGE, "shared") == 0);
	fill(memory, 16 * PAGE, 1);

	hold();

	maps_line(memory, line, sizeof(line));
	NEED(strstr(line, "[anon:a name]"));
	maps_line(memory + 8 * PAGE, line, sizeof(line));
	NEED(!strstr(line, "[anon:a name]"));
	maps_line(shared, line, sizeof(line));
	NEED(strstr(line, "[anon_shmem:shared]"));
	NEED(filled(memory, 16 * PAGE, 1));
	return victim_end();
}
