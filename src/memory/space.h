/* SPDX-License-Identifier: BSD-3-Clause */
/* space.h - what a capture knows of the address spaces; within src/memory only */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>

#include "memory/memory.h"
#include "memory/runs.h"
#include "memory/vma.h"

#define DN_POLICY_NODES 1024u /* most NUMA nodes a kernel can have */

struct dn_policy {
	uint32_t mode;
	unsigned char nodes[DN_POLICY_NODES / 8];
};

/* One mapping. */
struct dn_map {
	uint64_t start, end, offset;
	uint64_t flags;	      /* DN_VMA_* */
	uint64_t inherit_end; /* from the parent up to here; 0: not at all */
	dev_t dev;	      /* of the file, for shared mappings */
	ino_t ino;
	uint32_t file;	 /* File.id */
	uint32_t name;	 /* where in space->names, 0: none */
	uint32_t policy; /* index in space->policies + 1, 0: none */
	uint8_t kind;	 /* Dn__Vma__Kind */
	uint8_t prot, huge_shift;
	bool resident; /* has pages (private: of its own), in memory or swapped out */
	bool swapped;
	bool forked; /* some of its own pages may be shared with others, copy on write */
};

/* Pages that several children of a process have from it, but no longer itself: stored as COMMON pages of the
 * process, and read from one of those. */
struct dn_loan {
	size_t from; /* index of the space */
	struct dn_runs runs;
};

/* One process's address space. */
struct dn_space {
	struct dn_process *process;
	struct dn_space *parent; /* whose pages it may share: set by the plan where it inherits anything */
	bool heirs;		 /* others have it as their parent */
	size_t index;
	struct dn_map *maps;
	size_t count, cap;
	char *names;
	size_t names_len, names_cap;
	struct dn_policy *policies;
	size_t policy_count, policy_cap;
	uint64_t bytes;			   /* private pages it has, roughly */
	bool locks_future, locks_on_fault; /* mlockall(MCL_FUTURE), with MCL_ONFAULT */
	bool planned; /* runs says what to do with them; else all are its own, found while writing */
	struct dn_runs runs;
	struct dn_loan *loans;
	size_t loan_count, loan_cap;
	struct dn_runs absent;
	struct dn_runs guards;
};

/* What a mapping shows of an object that dunlin may not open. */
struct dn_view {
	size_t object, space;	/* indexes */
	uint64_t start, offset; /* of the mapping, in its file */
	struct dn_runs runs;	/* addresses in the space */
};

struct dn_memory {
	struct dn_space **spaces; /* parents before children */
	size_t count, cap;
	bool no_policies;    /* the kernel has no NUMA */
	bool frames;	     /* of pages are shown */
	uint64_t zero_frame; /* of the page of zeroes; 0: none */
	uint64_t shared_pages;
	struct dn_view *views; /* by object */
	size_t view_count, view_cap;
};

static inline bool dn_map_private(const struct dn_map *m)
{
	return m->kind == DN__VMA__KIND__ANON || m->kind == DN__VMA__KIND__FILE_PRIVATE ||
	       m->kind == DN__VMA__KIND__HUGETLB;
}

struct dn_space *dn_memory_space(struct dn_capture *c, const struct dn_process *p); /* NULL: has none */
/* Index of the first mapping that ends above addr; count when there is none. */
size_t dn_space_find(const struct dn_space *s, uint64_t addr);
