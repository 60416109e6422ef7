/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_malloc.c - several threads allocate and free all the time, and go on doing so
 *
 * unsettled: all
 */
#include "state.h"

#define THREADS 4
#define BLOCKS 200

static atomic_bool released;

struct block {
	uint64_t *memory;
	size_t size;
	uint64_t seed;
};

static void turn(struct block *block, uint64_t number)
{
	if (block->memory)
		NEED(filled(block->memory, block->size, block->seed));
	/* Mostly small blocks, sometimes one that comes from mmap. */
	block->size = 8 * (1 + mix(number) % (number % 500 == 0 ? 40000 : 200));
	block->seed = number;
	block->memory = number % 3 == 0 && block->memory ? realloc(block->memory, block->size)
							 : (free(block->memory), malloc(block->size));
	NEED(block->memory);
	fill(block->memory, block->size, block->seed);
}

static void *stress(void *arg)
{
	struct block blocks[BLOCKS] = { 0 };
	struct timespec pause = { 0, 2000000 };
	uint64_t number = (uintptr_t)arg * 1000000000;

	for (int after = 0; after < 20; after += atomic_load(&released)) {
		for (int i = 0; i < 1000; i++, number++)
			turn(&blocks[mix(~number) % BLOCKS], number);
		nanosleep(&pause, NULL);
	}
	for (int i = 0; i < BLOCKS; i++)
		free(blocks[i].memory);
	return NULL;
}

int main(void)
{
	pthread_t threads[THREADS];

	for (uintptr_t i = 0; i < THREADS; i++)
		NEED(pthread_create(&threads[i], NULL, stress, (void *)i) == 0);
	hold();
	atomic_store(&released, true);
	for (int i = 0; i < THREADS; i++)
		NEED(pthread_join(threads[i], NULL) == 0);
	return victim_end();
}
