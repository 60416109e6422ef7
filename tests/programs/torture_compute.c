/* SPDX-License-Identifier: BSD-3-Clause */
/* torture_compute.c - computes without a system call, and checks every result; integers and vectors
 *
 * The red zone, the flags and all registers are in use all the time.
 */
#include <math.h>
#include <stdatomic.h>

#include "victim.h"

static volatile int end;
static atomic_long rounds;
static atomic_int started;

static __attribute__((noinline)) uint64_t integers(uint64_t seed)
{
	uint64_t x[8], sum = 0;

	for (int i = 0; i < 8; i++)
		x[i] = seed + (uint64_t)i;
	for (int n = 0; n < 20000; n++)
		for (int i = 0; i < 8; i++) {
			x[i] ^= x[(i + 1) % 8] << 13;
			x[i] ^= x[i] >> 7;
			x[i] += sum;
			sum += x[i] ^ (uint64_t)n;
		}
	return sum;
}

static __attribute__((noinline)) double vectors(double seed)
{
	double x[64], sum = 0;

	for (int i = 0; i < 64; i++)
		x[i] = seed + i;
	for (int n = 0; n < 2000; n++) {
		for (int i = 0; i < 64; i++)
			x[i] = x[i] * 0.75 + sqrt(x[i]) + 1;
		sum += x[n % 64];
	}
	return sum;
}

static void *thread(void *arg)
{
	uint64_t seed = 12345 + (uint64_t)(uintptr_t)arg;
	uint64_t expected = integers(seed);
	double wanted = vectors((double)seed);

	started++;
	while (!end) {
		uint64_t got = integers(seed);
		double value = vectors((double)seed);

		check(got == expected, "integers: expected %lx, got %lx", expected, got);
		check(value == wanted, "vectors: expected %.17g, got %.17g", wanted, value);
		rounds++;
	}
	return NULL;
}

int main(void)
{
	pthread_t threads[2];

	for (intptr_t i = 0; i < 2; i++)
		must0(pthread_create(&threads[i], NULL, thread, (void *)i));
	while (started < 2 || rounds < 4)
		victim_sleep_ms(1);
	victim_ready();
	victim_wait();
	end = 1;
	for (int i = 0; i < 2; i++)
		must0(pthread_join(threads[i], NULL));
	return victim_end();
}
