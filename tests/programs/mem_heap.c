/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_heap.c - the heap keeps its end, grows and shrinks afterwards */
#include "state.h"

int main(void)
{
	char *heap, *end;

	NEED((sbrk(0) != (void *)-1) && (heap = sbrk(3 * MIB + 100)) != (void *)-1);
	heap = (char *)(((uintptr_t)heap + 7) & ~(uintptr_t)7);
	fill(heap, 3 * MIB, 1);
	end = sbrk(0);

	hold();

	NEED(sbrk(0) == end);
	NEED(filled(heap, 3 * MIB, 1));
	NEED(sbrk(MIB) == end);
	memset(end, 1, MIB);
	NEED(sbrk(0) == end + MIB);
	NEED(sbrk(-(intptr_t)(3 * MIB)) == end + MIB);
	NEED(sbrk(0) == end - 2 * MIB);
	NEED(filled(heap, MIB / 2, 1));
	NEED(signal_of_access(end - MIB, false) == SIGSEGV);
	return victim_end();
}
