/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_merge.c - PR_SET_MEMORY_MERGE: equal pages of the whole process are merged, except some */
#include "state.h"

#ifndef PR_SET_MEMORY_MERGE /* Linux 6.4 */
#define PR_SET_MEMORY_MERGE 67
#define PR_GET_MEMORY_MERGE 68
#endif

static bool mergeable(const void *memory)
{
	char flags[256];

	smaps_flags(memory, flags);
	return strstr(flags, "mg");
}

int main(void)
{
	can(prctl(PR_SET_MEMORY_MERGE, 1, 0, 0, 0));
	char *merged = map_private(4 * PAGE), *excepted = map(4 * PAGE, PROT_READ, MAP_PRIVATE);

	fill(merged, 4 * PAGE, 1);
	NEED(madvise(excepted, 4 * PAGE, MADV_UNMERGEABLE) == 0);
	NEED(mergeable(merged) && !mergeable(excepted));
	hold();
	check(prctl(PR_GET_MEMORY_MERGE, 0, 0, 0, 0) == 1, "the process's pages are not merged any more");
	check(mergeable(merged) && !mergeable(excepted), "other memory is merged than before");
	check(mergeable(map_private(2 * PAGE)), "new memory is not merged");
	check(filled(merged, 4 * PAGE, 1), "the content differs");
	return victim_end();
}
