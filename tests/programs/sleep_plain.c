/* SPDX-License-Identifier: BSD-3-Clause */
/* sleep_plain.c - the smallest program: it sleeps, and its memory is as it was */
#include "victim.h"

static int data = 12345;

int main(void)
{
	int stack = 54321, *heap = malloc(sizeof(*heap));

	*heap = 11111;
	data++;
	victim_ready();
	victim_wait();
	check(data == 12346, "data: expected 12346, got %d", data);
	check(stack == 54321, "stack: expected 54321, got %d", stack);
	check(*heap == 11111, "heap: expected 11111, got %d", *heap);
	free(heap);
	return victim_end();
}
