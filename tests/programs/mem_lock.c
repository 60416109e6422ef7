/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_lock.c - locked memory: mlock, and mlock2 with MLOCK_ONFAULT */
#include "state.h"

#define SIZE MIB

static long locked_kb(void)
{
	FILE *file = fopen("/proc/self/status", "re");
	char line[256];
	long kb = -1;

	NEED(file);
	while (kb < 0 && fgets(line, sizeof(line), file))
		sscanf(line, "VmLck: %ld", &kb);
	fclose(file);
	return kb;
}

int main(void)
{
	char *locked = map_private(SIZE), *on_fault = map_private(SIZE), *plain = map_private(SIZE);
	char before[3][256], after[3][256];

	NEED(mlock(locked, SIZE) == 0);
	if (mlock2(on_fault, SIZE, MLOCK_ONFAULT) < 0)
		victim_skip("the kernel has no mlock2");
	fill(locked, PAGE, 1);
	fill(on_fault, PAGE, 2);
	fill(plain, PAGE, 3);
	smaps_flags(locked, before[0]);
	smaps_flags(on_fault, before[1]);
	smaps_flags(plain, before[2]);
	NEED(strstr(before[0], "lo") && strstr(before[1], "lo") && !strstr(before[2], "lo"));
	NEED(locked_kb() == 2048);

	hold();

	smaps_flags(locked, after[0]);
	smaps_flags(on_fault, after[1]);
	smaps_flags(plain, after[2]);
	for (int i = 0; i < 3; i++)
		if (strcmp(before[i], after[i]))
			GIVE_UP("flags of mapping %d were %s, are %s", i, before[i], after[i]);
	NEED(locked_kb() == 2048);
	NEED(smaps_kb(locked, "Rss") == 1024 && smaps_kb(on_fault, "Rss") == 4);
	NEED(filled(locked, PAGE, 1) && filled(on_fault, PAGE, 2) && filled(plain, PAGE, 3));
	on_fault[100 * PAGE] = 1;
	NEED(smaps_kb(on_fault, "Rss") == 8);
	return victim_end();
}
