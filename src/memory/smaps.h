/* SPDX-License-Identifier: BSD-3-Clause */
/* smaps.h - reading /proc/PID/smaps: every mapping with its flags, in one pass
 *
 * The text is about 700 bytes for each mapping, so it is parsed as it is read and never held whole.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

/* The two-letter words behind "VmFlags:" that mean something here, as bits.  The others (rd, wr, ex, sh,
 * mr, me, ms, sd, mt, ...) repeat what is said elsewhere or do not matter. */
enum dn_smaps_flag {
	DN_SMAPS_MW, /* may become writable */
	DN_SMAPS_GD, /* grows down */
	DN_SMAPS_PF, /* page frames without struct page: device memory */
	DN_SMAPS_IO, /* memory mapped I/O */
	DN_SMAPS_LO, /* locked */
	DN_SMAPS_LF, /* locked on fault */
	DN_SMAPS_SR, /* read sequentially */
	DN_SMAPS_RR, /* read randomly */
	DN_SMAPS_DC, /* not copied by fork */
	DN_SMAPS_AC, /* accounted */
	DN_SMAPS_NR, /* no swap space reserved */
	DN_SMAPS_HT, /* huge TLB pages */
	DN_SMAPS_SF, /* synchronous page faults: MAP_SYNC */
	DN_SMAPS_WF, /* wiped on fork */
	DN_SMAPS_DD, /* not in core dumps */
	DN_SMAPS_HG, /* MADV_HUGEPAGE */
	DN_SMAPS_NH, /* MADV_NOHUGEPAGE */
	DN_SMAPS_MG, /* MADV_MERGEABLE */
	DN_SMAPS_UM, /* userfaultfd: missing pages */
	DN_SMAPS_UW, /* userfaultfd: write protection */
	DN_SMAPS_UI, /* userfaultfd: minor faults */
	DN_SMAPS_SS, /* shadow stack */
	DN_SMAPS_SL, /* sealed */
	DN_SMAPS_DP, /* droppable */
	DN_SMAPS_FLAG_COUNT,
};
#define DN_SMAPS_BIT(flag) (1u << (flag))

/* One mapping. */
struct dn_smaps_entry {
	uint64_t start, end, offset;
	uint32_t prot; /* PROT_* */
	bool shared;
	dev_t dev;
	ino_t ino;
	uint64_t page_size;
	uint64_t rss, anonymous, swap;	     /* bytes: in memory, of these anonymous, swapped out */
	uint64_t shared_clean, shared_dirty; /* of rss: that others have too */
	uint64_t huge;			     /* in huge TLB pages, which rss does not count */
	uint32_t flags;			     /* DN_SMAPS_BIT() */
	uint32_t pkey;
	bool name_too_long;  /* then name is "" */
	char name[PATH_MAX]; /* the path field, "\012" turned back into a newline; "" when there is none */
};

struct dn_smaps {
	struct dn_smaps_entry entry;
	bool open;    /* entry has its first line */
	char *buffer; /* text that was not parsed yet */
	size_t used;
	/* Gets every mapping; what it returns, if negative, ends the reading.  The entry is reused. */
	int (*each)(const struct dn_smaps_entry *entry, void *arg, struct dn_error *err);
	void *arg;
};

#define DN_SMAPS_BUFFER 65536u

/* Reads /proc/PID/smaps. */
int dn_smaps_read(pid_t pid, int (*each)(const struct dn_smaps_entry *entry, void *arg, struct dn_error *err),
		  void *arg, struct dn_error *err);

/* The parts of it, for tests: text comes in pieces of any size, at most DN_SMAPS_BUFFER - s->used each,
 * put at s->buffer + s->used. */
int dn_smaps_init(struct dn_smaps *s, int (*each)(const struct dn_smaps_entry *entry, void *arg, struct dn_error *err),
		  void *arg, struct dn_error *err);
int dn_smaps_fed(struct dn_smaps *s, size_t len, struct dn_error *err);
int dn_smaps_end(struct dn_smaps *s, struct dn_error *err); /* -EINVAL: the text stopped in the middle */
void dn_smaps_finish(struct dn_smaps *s);
