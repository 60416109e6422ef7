/* SPDX-License-Identifier: BSD-3-Clause */
/* runs.h - lists of address ranges, kept small
 *
 * dunlin must not need much memory for programs of any size, so what is planned for a program's pages is
 * a list of runs of 8 bytes each: even if every other page were different, that is a five-hundredth of it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "image/image.h"

/* What is to become of a run of pages at capture. */
enum dn_run_class {
	DN_RUN_OWN,		/* stored in stage OWN, left out where it is all zeroes */
	DN_RUN_OWN_EXACT,	/* the same, but zeroes count: something else would show through */
	DN_RUN_COMMON,		/* stored in stage COMMON */
	DN_RUN_COMMON_EXACT,
	DN_RUN_ABSENT,		/* the parent has pages there that the process must not inherit */
	DN_RUN_GUARD,
};

static inline bool dn_run_common(enum dn_run_class class)
{
	return class == DN_RUN_COMMON || class == DN_RUN_COMMON_EXACT;
}

static inline bool dn_run_exact(enum dn_run_class class)
{
	return class == DN_RUN_OWN_EXACT || class == DN_RUN_COMMON_EXACT;
}

/* A sorted list; all zeroes when empty. */
struct dn_runs {
	uint64_t *packed; /* page number : 45, pages : 16, class : 3 */
	size_t count, cap;
};

void dn_runs_finish(struct dn_runs *runs);
/* Appends; joined to the last one where it continues it with the same class.  Runs come in ascending order
 * without overlap. */
int dn_runs_add(struct dn_runs *runs, uint64_t addr, uint64_t pages, enum dn_run_class class);
enum dn_run_class dn_runs_get(const struct dn_runs *runs, size_t i, struct dn_run *ret);
/* Index of the first run that ends above addr. */
size_t dn_runs_find(const struct dn_runs *runs, uint64_t addr);

/* Cuts [addr, addr + pages) to what lies in [start, end); false when nothing does. */
bool dn_run_clip(struct dn_run *run, uint64_t start, uint64_t end);
