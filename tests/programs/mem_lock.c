/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_lock.c - locked memory: mlock, and mlock2 with MLOCK_ONFAULT; of deleted files that are mapped privately */
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

/* A page of its own and one of the file, locked when it was no longer writable (as a library's data is that the
 * loader has relocated), or by a call that failed before it made anything present. */
static char *map_deleted(bool writable)
{
	char *path = in_dir("file");
	int fd = make_file(path, 2 * PAGE, 5);
	char *space = map(3 * PAGE, PROT_NONE, MAP_PRIVATE);
	char *memory = mmap(space, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 0);

	NEED(memory == space && unlink(path) == 0 && close(fd) == 0 && munmap(space + 2 * PAGE, PAGE) == 0);
	fill(memory, PAGE, 4);
	if (writable)
		NEED(mlock(memory, 3 * PAGE) == -1 && errno == ENOMEM);
	else
		NEED(mprotect(memory, 2 * PAGE, PROT_READ) == 0 && mlock(memory, 2 * PAGE) == 0);
	return memory;
}

static void verify_deleted(char *memory)
{
	uint64_t page[2 * PAGE / 8];

	fill(page, 2 * PAGE, 5);
	NEED(filled(memory, PAGE, 4) && !memcmp(memory + PAGE, (char *)page + PAGE, PAGE));
}

int main(void)
{
	char *relocated = map_deleted(false), *absent = map_deleted(true);
	long more = locked_kb();
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
	NEED(locked_kb() == 2048 + more);

	hold();

	smaps_flags(locked, after[0]);
	smaps_flags(on_fault, after[1]);
	smaps_flags(plain, after[2]);
	for (int i = 0; i < 3; i++)
		if (strcmp(before[i], after[i]))
			GIVE_UP("flags of mapping %d were %s, are %s", i, before[i], after[i]);
	NEED(locked_kb() == 2048 + more);
	NEED(smaps_kb(locked, "Rss") == 1024 && smaps_kb(on_fault, "Rss") == 4);
	NEED(filled(locked, PAGE, 1) && filled(on_fault, PAGE, 2) && filled(plain, PAGE, 3));
	verify_deleted(relocated);
	verify_deleted(absent);
	on_fault[100 * PAGE] = 1;
	NEED(smaps_kb(on_fault, "Rss") == 8);
	return victim_end();
}
