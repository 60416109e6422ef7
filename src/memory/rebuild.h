/* SPDX-License-Identifier: BSD-3-Clause */
/* rebuild.h - what the parts of a restore of memory share; within src/memory only */
#pragma once

#include <pthread.h>
#include <stdarg.h>
#include <sys/mman.h>

#include "base/util.h"
#include "memory/memory.h"
#include "memory/vma.h"

#define DN_ADDRESS_TOP 0x7ffffffff000ull /* of user space, with four levels of page tables */
#define DN_NO_PARENT SIZE_MAX

struct dn_memory_restore {
	size_t count;	 /* processes */
	size_t *parent;	 /* index of each one's parent */
	uint32_t *order; /* indexes of page chunks: COMMON ones by process, then all the rest */
	size_t *common;	 /* where each process's begin in order; [count]: where the rest begins */
	size_t chunk_count;
	uint64_t vvar_size, vdso_size; /* of this kernel */
	struct dn_page_buffer buffer;  /* of the caller's thread, until everything is filled */
	bool has_buffer;
	bool no_names, no_policies; /* said already that they cannot be had */
};

/* Index of a process by its pid; DN_NO_PARENT if there is none. */
size_t dn_rebuild_index(const struct dn_restore *r, uint32_t pid);
/* Index of the first mapping that ends above addr; vma_count when there is none. */
size_t dn_rebuild_find(const struct dn_image_process *p, uint64_t addr);

static inline bool dn_vma_private(const Dn__Vma *v)
{
	return v->kind == DN__VMA__KIND__ANON || v->kind == DN__VMA__KIND__FILE_PRIVATE ||
	       v->kind == DN__VMA__KIND__HUGETLB;
}

static inline bool dn_vma_kernel(const Dn__Vma *v)
{
	return v->kind == DN__VMA__KIND__VDSO || v->kind == DN__VMA__KIND__VVAR;
}

/* The protection until everything is filled in.  A private mapping that was writable once (then it is
 * accounted) is likely to have content, and gets it quicker while it is writable. */
static inline int dn_vma_fill_prot(const Dn__Vma *v)
{
	bool once = v->flags & DN_VMA_ACCOUNT || v->kind == DN__VMA__KIND__HUGETLB;

	if (dn_vma_private(v) && once && !(v->prot & PROT_WRITE))
		return PROT_READ | PROT_WRITE;
	return (int)v->prot;
}

/* Guard regions cannot be made in locked memory.  And locking copies pages of a file that is mapped privately,
 * while it is writable: not before the file has its content, nor while it is writable for filling only. */
static inline bool dn_vma_locked_late(const Dn__Vma *v)
{
	return v->n_guards || v->kind == DN__VMA__KIND__FILE_PRIVATE;
}

/* Is it marked not to be copied by fork until all processes exist? */
bool dn_vma_for_itself(const struct dn_restore *r, size_t i, const Dn__Vma *v);

/* ---- many system calls in a seed, batch after batch ---- */

struct dn_calls {
	struct dn_batch batch;
	struct dn_remote *remote;
	uint32_t pid;
	uint64_t where[DN_LEADER_SLOT_CALLS]; /* the address that each is about */
	enum dn_call_care { DN_CALL_MUST, DN_CALL_WARN, DN_CALL_IGNORE } care[DN_LEADER_SLOT_CALLS];
};

void dn_calls_init(struct dn_calls *c, struct dn_restore *r, size_t i);
/* Makes room for that many calls and bytes of data: runs what is queued if there is not enough. */
int dn_calls_room(struct dn_calls *c, size_t calls, size_t data, struct dn_error *err);
int dn_calls_run(struct dn_calls *c, struct dn_error *err);
/* Queues one about the mapping at `where`; room was made, or is made here (for no data). */
int dn_calls_add(struct dn_calls *c, uint64_t where, const char *what, struct dn_error *err, long nr,
		 const uint64_t args[6]);
/* The same for one that may fail: with a warning, or without. */
int dn_calls_try(struct dn_calls *c, uint64_t where, const char *what, struct dn_error *err, long nr,
		 const uint64_t args[6]);
int dn_calls_ignore(struct dn_calls *c, uint64_t where, const char *what, struct dn_error *err, long nr,
		    const uint64_t args[6]);
#define DN_ARGS(...) ((const uint64_t[6]){ __VA_ARGS__ })

int dn_lock_vma(struct dn_calls *calls, const Dn__Vma *v, struct dn_error *err);
