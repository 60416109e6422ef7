/* SPDX-License-Identifier: BSD-3-Clause */
/* blocked.h - for programs whose threads are each blocked in a system call over the checkpoint */
#pragma once

#include <stdatomic.h>

#include "victim.h"

struct blocked {
	const char *name;
	long nr;		       /* the system call it blocks in */
	void (*run)(struct blocked *); /* calls it and verifies the result, in a thread of its own */
	int argument;
	double elapsed; /* seconds, set for run() to be looked at */
	atomic_int tid;
	pthread_t thread;
};

static void *blocked_thread(void *arg)
{
	struct blocked *b = arg;
	double start = victim_clock();

	b->tid = victim_gettid();
	b->run(b);
	b->elapsed = victim_clock() - start;
	return NULL;
}

/* Starts all, until each sits in its call. */
static inline void blocked_start(struct blocked *all, size_t count)
{
	for (size_t i = 0; i < count; i++)
		must0(pthread_create(&all[i].thread, NULL, blocked_thread, &all[i]));
	for (size_t i = 0; i < count; i++) {
		while (!all[i].tid)
			victim_sleep_ms(1);
		victim_await_syscall(getpid(), all[i].tid, all[i].nr);
	}
}

static inline void blocked_join(struct blocked *all, size_t count)
{
	for (size_t i = 0; i < count; i++)
		must0(pthread_join(all[i].thread, NULL));
}
