/* SPDX-License-Identifier: BSD-3-Clause */
/* segment_bases.c - fs and gs base of each thread */
#include <asm/prctl.h>
#include <stdatomic.h>

#include "victim.h"

static atomic_int here;
static uint64_t cells[4];

static void *thread(void *arg)
{
	uint64_t *cell = &cells[(intptr_t)arg], fs = 0, gs = 0, value;
	unsigned long tls;

	*cell = 0xfeed0000 + (uint64_t)(intptr_t)arg;
	must(syscall(SYS_arch_prctl, ARCH_SET_GS, cell));
	must(syscall(SYS_arch_prctl, ARCH_GET_FS, &fs));
	tls = fs;
	here++;
	victim_wait();
	must(syscall(SYS_arch_prctl, ARCH_GET_FS, &fs));
	must(syscall(SYS_arch_prctl, ARCH_GET_GS, &gs));
	check(fs == tls, "fs base: expected %lx, got %lx", tls, fs);
	check(gs == (uint64_t)(uintptr_t)cell, "gs base: expected %p, got %lx", (void *)cell, gs);
	__asm__ volatile("mov %%gs:0, %0" : "=r"(value));
	check(value == *cell, "load through gs: expected %lx, got %lx", *cell, value);
	return NULL;
}

int main(void)
{
	pthread_t threads[COUNT(cells)];

	for (size_t i = 0; i < COUNT(cells); i++)
		must0(pthread_create(&threads[i], NULL, thread, (void *)i));
	while (here < (int)COUNT(cells))
		victim_sleep_ms(1);
	victim_ready();
	victim_wait();
	for (size_t i = 0; i < COUNT(cells); i++)
		must0(pthread_join(threads[i], NULL));
	return victim_end();
}
