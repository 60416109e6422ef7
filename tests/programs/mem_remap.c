/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_remap.c - mappings that mremap moved, grew, swapped, or left empty */
#include "state.h"

#define SIZE (32 * PAGE)

int main(void)
{
	char *grown = map_private(SIZE), *pair = map_private(2 * SIZE), *kept = map_private(SIZE);
	char *aside = map_private(4 * SIZE), *moved;
	int fd = make_file(in_dir("mapped"), SIZE, 5);
	char *file = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);

	NEED(file != MAP_FAILED);
	fill(grown, SIZE, 1);
	grown = mremap(grown, SIZE, 4 * SIZE, MREMAP_MAYMOVE);
	NEED(grown != MAP_FAILED);
	fill(grown + 3 * SIZE, SIZE, 2);
	/* The two halves of the pair change places. */
	fill(pair, SIZE, 3);
	fill(pair + SIZE, SIZE, 4);
	NEED(mremap(pair, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, aside) == aside);
	NEED(mremap(pair + SIZE, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, pair) == pair);
	NEED(mremap(aside, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, pair + SIZE) == pair + SIZE);
	fill(file + PAGE, PAGE, 6);
	file = mremap(file, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, aside + 2 * SIZE);
	NEED(file == aside + 2 * SIZE);
	fill(kept, SIZE, 7);
	moved = mremap(kept, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
	NEED(moved != MAP_FAILED);

	hold();

	NEED(filled(grown, SIZE, 1) && all_zero(grown + SIZE, 2 * SIZE) && filled(grown + 3 * SIZE, SIZE, 2));
	NEED(filled(pair, SIZE, 4) && filled(pair + SIZE, SIZE, 3));
	NEED(filled(file, PAGE, 5) && filled(file + PAGE, PAGE, 6));
	NEED(filled(moved, SIZE, 7) && all_zero(kept, SIZE));
	grown = mremap(grown, 4 * SIZE, 100 * SIZE, MREMAP_MAYMOVE);
	NEED(grown != MAP_FAILED && filled(grown, SIZE, 1) && all_zero(grown + 50 * SIZE, SIZE));
	return victim_end();
}
