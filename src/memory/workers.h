/* SPDX-License-Identifier: BSD-3-Clause */
/* workers.h - the same work on several threads, the caller's being one of them */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct dn_workers;

struct dn_worker {
	unsigned int index; /* 0: the caller's thread */
	void *arg;
	struct dn_workers *all;
};

/* Has one of them failed? */
bool dn_workers_stopped(const struct dn_worker *w);

/* How many are worth it for that many bytes; wanted 0: one for each processor, at most 4. */
unsigned int dn_workers_count(unsigned int wanted, uint64_t bytes);

/* Runs work on that many threads; the first failure is returned, with its text.  Threads that cannot be
 * made are done without. */
int dn_workers_run(unsigned int count, int (*work)(struct dn_worker *w, struct dn_error *err), void *arg,
		   struct dn_error *err);
