/* SPDX-License-Identifier: BSD-3-Clause */
/* registers.h - for programs that hold patterns in registers over a checkpoint
 *
 * Threads load registers, each with a pattern of its own, spin until registers_stop is set, and store the
 * registers again, all in one piece of assembler.
 */
#pragma once

#include "victim.h"

#define REGISTERS_THREADS 3

static volatile int registers_stop;
static volatile int registers_here;

/* A byte that depends on thread and position. */
static inline unsigned char registers_byte(int number, size_t i)
{
	return (unsigned char)(number * 31 + (int)(i * 7) + (int)(i >> 5) * 13 + 1);
}

static inline void registers_fill(int number, void *into, size_t len)
{
	for (size_t i = 0; i < len; i++)
		((unsigned char *)into)[i] = registers_byte(number, i);
}

/* what: the registers, each of size bytes. */
static inline void registers_verify(int number, const void *now, size_t len, size_t size, const char *what)
{
	for (size_t i = 0; i < len; i++)
		if (((const unsigned char *)now)[i] != registers_byte(number, i)) {
			check(false, "thread %d: %s%zu byte %zu: expected %02x, got %02x", number, what, i / size,
			      i % size, registers_byte(number, i), ((const unsigned char *)now)[i]);
			i += size - i % size - 1;
		}
}

/* Runs spin in all threads over the checkpoint. */
static inline void registers_run(void *(*spin)(void *number))
{
	pthread_t threads[REGISTERS_THREADS];

	for (intptr_t i = 0; i < REGISTERS_THREADS; i++)
		must0(pthread_create(&threads[i], NULL, spin, (void *)i));
	while (registers_here < REGISTERS_THREADS)
		victim_sleep_ms(1);
	/* From "here" to the loop it is a few instructions, but a thread may lose the processor there. */
	victim_sleep_ms(20);
	victim_ready();
	victim_wait();
	registers_stop = 1;
	for (int i = 0; i < REGISTERS_THREADS; i++)
		must0(pthread_join(threads[i], NULL));
}
