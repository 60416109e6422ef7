/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_big.c - a quarter of a gigabyte, every byte of it */
#include "state.h"

#define SIZE (256 * MIB)

int main(void)
{
	char *memory = map_private(SIZE);

	fill(memory, SIZE, 1);
	hold();
	NEED(filled(memory, SIZE, 1));
	return victim_end();
}
