/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_advice.c - what madvise said about mappings: the flags in smaps are the same afterwards */
#include "state.h"

#define SIZE (64 * PAGE)

static const int advice[] = {
	MADV_NORMAL,   MADV_RANDOM,   MADV_SEQUENTIAL, MADV_DONTFORK,  MADV_WIPEONFORK,
	MADV_DONTDUMP, MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_MERGEABLE,
};

#define KINDS COUNT(advice)

int main(void)
{
	int fd = make_file(in_dir("mapped"), SIZE, 5);
	char *memory[2 * KINDS], *mixed = map_private(SIZE), *no_reserve;
	char before[2 * KINDS + 2][256], after[256];

	no_reserve = map(SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE);
	for (size_t i = 0; i < KINDS; i++) {
		memory[i] = map_private(SIZE);
		fill(memory[i], PAGE, i);
		memory[KINDS + i] = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
		NEED(memory[KINDS + i] != MAP_FAILED);
		/* Not every kernel has each of them, nor are they for every mapping. */
		for (size_t half = 0; half < 2; half++) {
			(void)!madvise(memory[half * KINDS + i], SIZE, advice[i]);
			smaps_flags(memory[half * KINDS + i], before[half * KINDS + i]);
		}
	}
	NEED(madvise(mixed, SIZE, MADV_RANDOM) == 0 && madvise(mixed, SIZE, MADV_DONTFORK) == 0 &&
	     madvise(mixed, SIZE, MADV_DONTDUMP) == 0);
	smaps_flags(mixed, before[2 * KINDS]);
	smaps_flags(no_reserve, before[2 * KINDS + 1]);
	NEED(strstr(before[1], "rr") && strstr(before[2], "sr") && strstr(before[3], "dc"));

	hold();

	for (size_t i = 0; i < 2 * KINDS + 2; i++) {
		smaps_flags(i < 2 * KINDS ? memory[i] : i == 2 * KINDS ? mixed : no_reserve, after);
		if (strcmp(before[i], after))
			GIVE_UP("flags of mapping %zu were %s, are %s", i, before[i], after);
		if (i < KINDS)
			NEED(filled(memory[i], PAGE, i));
	}
	return victim_end();
}
