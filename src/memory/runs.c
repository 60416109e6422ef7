/* SPDX-License-Identifier: BSD-3-Clause */
/* runs.c - lists of address ranges, kept small */
#include "memory/runs.h"

#include <errno.h>

#include "base/util.h"

#define LENGTH_BITS 16
#define CLASS_BITS 3
#define LENGTH_MAX ((1u << LENGTH_BITS) - 1)

static uint64_t pack(uint64_t addr, uint64_t pages, unsigned int class)
{
	return addr / DN_PAGE_SIZE << (LENGTH_BITS + CLASS_BITS) | pages << CLASS_BITS | class;
}

void dn_runs_finish(struct dn_runs *runs)
{
	free(runs->packed);
	*runs = (struct dn_runs){};
}

unsigned int dn_runs_get(const struct dn_runs *runs, size_t i, struct dn_run *ret)
{
	uint64_t v = runs->packed[i];

	ret->addr = (v >> (LENGTH_BITS + CLASS_BITS)) * DN_PAGE_SIZE;
	ret->pages = v >> CLASS_BITS & LENGTH_MAX;
	return v & ((1u << CLASS_BITS) - 1);
}

int dn_runs_add(struct dn_runs *runs, uint64_t addr, uint64_t pages, unsigned int class)
{
	if (runs->count) {
		struct dn_run last;
		if (dn_runs_get(runs, runs->count - 1, &last) == class &&
		    last.addr + last.pages * DN_PAGE_SIZE == addr) {
			uint64_t more = DN_MIN(pages, LENGTH_MAX - last.pages);
			runs->packed[runs->count - 1] = pack(last.addr, last.pages + more, class);
			addr += more * DN_PAGE_SIZE;
			pages -= more;
		}
	}
	while (pages) {
		uint64_t n = DN_MIN(pages, LENGTH_MAX);
		if (dn_grow(&runs->packed, &runs->cap, runs->count, sizeof(*runs->packed)) < 0)
			return -ENOMEM;
		runs->packed[runs->count++] = pack(addr, n, class);
		addr += n * DN_PAGE_SIZE;
		pages -= n;
	}
	return 0;
}

size_t dn_runs_find(const struct dn_runs *runs, uint64_t addr)
{
	size_t low = 0, high = runs->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		struct dn_run run;
		dn_runs_get(runs, middle, &run);
		if (run.addr + run.pages * DN_PAGE_SIZE > addr)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

bool dn_run_clip(struct dn_run *run, uint64_t start, uint64_t end)
{
	uint64_t from = DN_MAX(run->addr, start), to = DN_MIN(run->addr + run->pages * DN_PAGE_SIZE, end);

	if (from >= to)
		return false;
	run->addr = from;
	run->pages = (to - from) / DN_PAGE_SIZE;
	return true;
}
