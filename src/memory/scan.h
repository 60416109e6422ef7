/* SPDX-License-Identifier: BSD-3-Clause */
/* scan.h - which pages an address space has, asked of the kernel piece by piece
 *
 * PAGEMAP_SCAN (6.7) walks the page tables and skips what is not there whole levels at a time, so that
 * terabytes of reserved addresses cost nothing.  Older kernels tell 8 bytes for every page of the mappings
 * that have any.
 */
#pragma once

#include "base/kernel.h"
#include "memory/space.h"

#define DN_SCAN_REGIONS 128u

/* A word of /proc/PID/pagemap (Documentation/admin-guide/mm/pagemap.rst). */
#define DN_PAGEMAP_FRAME ((1ull << 55) - 1)
#define DN_PAGEMAP_EXCLUSIVE (1ull << 56)
#define DN_PAGEMAP_GUARD (1ull << 58)
#define DN_PAGEMAP_FILE (1ull << 61)
#define DN_PAGEMAP_SWAP (1ull << 62)
#define DN_PAGEMAP_PRESENT (1ull << 63)

struct dn_scan {
	const struct dn_space *space;
	int pagemap;
	bool plain;	  /* no PAGEMAP_SCAN: read words */
	size_t map;	  /* the mapping that the next run may lie in */
	uint64_t reached; /* asked up to here */
	uint64_t end;
	struct page_region regions[DN_SCAN_REGIONS];
	size_t used, next;
};

/* Private pages (of memory or swap space, neither of files nor the common page of zeroes) of the whole
 * address space.  plain: as on an old kernel. */
int dn_scan_init(struct dn_scan *scan, const struct dn_space *space, bool plain, struct dn_error *err);
void dn_scan_finish(struct dn_scan *scan);

/* The next run, within one mapping, whose index is scan->map.  1, or 0 when there is none, or -errno. */
int dn_scan_next(struct dn_scan *scan, struct dn_run *ret, struct dn_error *err);
/* Leaves out what lies below addr. */
void dn_scan_skip(struct dn_scan *scan, uint64_t addr);

/* Fills space->guards. */
int dn_scan_guards(struct dn_space *space, struct dn_error *err);

/* Reads count pagemap words from that of addr on. */
int dn_scan_words(const struct dn_scan *scan, uint64_t addr, uint64_t *words, size_t count, struct dn_error *err);

/* Does the kernel show page frames (CAP_SYS_ADMIN)?  *ret_zero: that of the page of zeroes, which stands for
 * all pages that were only read; 0 where there is no such page. */
bool dn_scan_frames(uint64_t *ret_zero);

/* Is it a page to be kept, going by its pagemap word? */
static inline bool dn_scan_is_private(uint64_t word, uint64_t zero_frame)
{
	if (!(word & (DN_PAGEMAP_PRESENT | DN_PAGEMAP_SWAP)) || word & (DN_PAGEMAP_FILE | DN_PAGEMAP_GUARD))
		return false;
	return !(zero_frame && word & DN_PAGEMAP_PRESENT && (word & DN_PAGEMAP_FRAME) == zero_frame);
}
