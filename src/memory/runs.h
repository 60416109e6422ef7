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

/* What is to be known of a run of pages at capture, or'ed. */
enum dn_run_class {
	DN_RUN_PLAIN = 0,  /* of the process alone, in stage OWN, left out where it is all zeroes */
	DN_RUN_EXACT = 1,  /* pages of zeroes count: something else would show through */
	DN_RUN_COMMON = 2, /* stored in stage COMMON, not in OWN */
	DN_RUN_FORKED = 4, /* shared with others, copy on write */
};

/* A sorted list; all zeroes when empty. */
struct dn_runs {
	uint64_t *packed; /* page number : 45, pages : 16, class : 3 */
	size_t count, cap;
};

void dn_runs_finish(struct dn_runs *runs);
/* Appends; joined to the last one where it continues it with the same class.  Runs come in ascending order
 * without overlap. */
int dn_runs_add(struct dn_runs *runs, uint64_t addr, uint64_t pages, unsigned int class);
unsigned int dn_runs_get(const struct dn_runs *runs, size_t i, struct dn_run *ret);
/* Index of the first run that ends above addr. */
size_t dn_runs_find(const struct dn_runs *runs, uint64_t addr);

/* Cuts [addr, addr + pages) to what lies in [start, end); false when nothing does. */
bool dn_run_clip(struct dn_run *run, uint64_t start, uint64_t end);
