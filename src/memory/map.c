/* SPDX-License-Identifier: BSD-3-Clause */
/* map.c - the mappings of a seed, ready to be filled
 *
 * A seed that was cloned from its parent's keeps what the plan says it inherits; all else goes.  What
 * stays may need another protection for the time of filling, lose pages that this process does not have,
 * and grow at its end, in place, by mremap: a second mapping behind it could not be merged with it.
 */
#include <asm/prctl.h>
#include <errno.h>
#include <linux/mempolicy.h>
#include <sys/syscall.h>

#include "base/kernel.h"
#include "base/log.h"
#include "memory/rebuild.h"

#define LARGE_PIECE (1ull << 30)

struct mapping {
	struct dn_restore *r;
	size_t i;
	const struct dn_image_process *p;
	const struct dn_image_process *parent; /* NULL: none */
	struct dn_calls *calls;
};

/* ---- what goes ---- */

static int unmap(struct mapping *m, uint64_t start, uint64_t end, struct dn_error *err)
{
	if (start >= end)
		return 0;
	return dn_calls_add(m->calls, start, "unmap what was inherited", err, SYS_munmap, DN_ARGS(start, end - start));
}

/* Unmaps everything but the arena and [start, end) of what is inherited, in ascending order. */
static int unmap_rest(struct mapping *m, struct dn_error *err)
{
	uint64_t arena[2] = { m->r->arena_start, m->r->arena_end }, at = 0;
	size_t k = 0;
	bool arena_done = arena[0] == arena[1];

	for (;;) {
		while (k < m->p->vma_count && !m->p->vmas[k]->inherit)
			k++;
		const Dn__Vma *v = k < m->p->vma_count ? m->p->vmas[k] : NULL;
		uint64_t start = DN_ADDRESS_TOP, end = DN_ADDRESS_TOP;
		if (!arena_done && (!v || arena[0] < v->start)) {
			start = arena[0];
			end = arena[1];
			arena_done = true;
		} else if (v) {
			start = v->start;
			end = v->inherit_end;
			k++;
		}
		int r = unmap(m, at, start, err);
		if (r < 0 || start == DN_ADDRESS_TOP)
			return r;
		at = end;
	}
}

/* ---- what stays ---- */

/* Calls fn for each piece of the parent's mappings that v inherits. */
static int each_piece(struct mapping *m, const Dn__Vma *v,
		      int (*fn)(struct mapping *m, const Dn__Vma *v, const Dn__Vma *parent, uint64_t start,
				uint64_t end, struct dn_error *err),
		      struct dn_error *err)
{
	for (size_t k = dn_rebuild_find(m->parent, v->start); k < m->parent->vma_count; k++) {
		const Dn__Vma *p = m->parent->vmas[k];
		uint64_t start = DN_MAX(p->start, v->start), end = DN_MIN(p->end, v->inherit_end);
		if (start >= end)
			break;
		int r = fn(m, v, p, start, end, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static bool same_policy(const Dn__Vma *a, const Dn__Vma *b)
{
	return a->policy_mode == b->policy_mode && a->policy_nodes.len == b->policy_nodes.len &&
	       (!a->policy_nodes.len || !memcmp(a->policy_nodes.data, b->policy_nodes.data, a->policy_nodes.len));
}

/* The nodes may be others here: then it does without, and says so. */
static int set_policy(struct mapping *m, const Dn__Vma *v, uint64_t start, uint64_t end, struct dn_error *err)
{
	unsigned char nodes[DN_ALIGN_UP(1024 / 8, 8) + 8] = {};
	size_t len = DN_MIN(v->policy_nodes.len, sizeof(nodes) - 8);

	int r = dn_calls_room(m->calls, 1, sizeof(nodes), err);
	if (r < 0)
		return r;
	if (len)
		memcpy(nodes, v->policy_nodes.data, len);
	uint64_t at = len ? dn_batch_put(&m->calls->batch, nodes, sizeof(nodes)) : 0;
	/* The kernel counts one bit less than it is told. */
	return dn_calls_try(m->calls, start, "set the NUMA policy", err, SYS_mbind,
			    DN_ARGS(start, end - start, v->policy_mode, at, len ? len * 8 + 1 : 0, 0));
}

static int adapt_piece(struct mapping *m, const Dn__Vma *v, const Dn__Vma *parent, uint64_t start, uint64_t end,
		       struct dn_error *err)
{
	int r = 0;

	if (dn_vma_fill_prot(v) != dn_vma_fill_prot(parent))
		r = dn_calls_add(m->calls, start, "protect memory", err, SYS_mprotect,
				 DN_ARGS(start, end - start, (uint64_t)dn_vma_fill_prot(v)));
	if (r >= 0 && !same_policy(v, parent))
		r = set_policy(m, v, start, end, err);
	return r;
}

/* The last page alone is enlarged: then it does not matter into how many mappings the kernel has split
 * or merged what comes before. */
static int grow(struct mapping *m, const Dn__Vma *v, struct dn_error *err)
{
	uint64_t page = v->inherit_end - DN_PAGE_SIZE;

	return dn_calls_add(m->calls, page, "enlarge a mapping", err, SYS_mremap,
			    DN_ARGS(page, DN_PAGE_SIZE, v->end - page, 0));
}

static int keep(struct mapping *m, const Dn__Vma *v, struct dn_error *err)
{
	if (dn_vma_kernel(v))
		return 0;
	int r = each_piece(m, v, adapt_piece, err);
	for (size_t k = 0; k + 1 < v->n_absent && r >= 0; k += 2)
		r = dn_calls_add(m->calls, v->absent[k], "drop pages", err, SYS_madvise,
				 DN_ARGS(v->absent[k], v->absent[k + 1] - v->absent[k], MADV_DONTNEED));
	if (r >= 0 && v->end > v->inherit_end)
		r = grow(m, v, err);
	return r;
}

/* ---- what is new ---- */

static uint64_t map_flags(const Dn__Vma *v)
{
	uint64_t flags = MAP_FIXED_NOREPLACE;

	if (v->kind == DN__VMA__KIND__FILE_SHARED)
		flags |= MAP_SHARED;
	else if (v->kind == DN__VMA__KIND__ANON && v->flags & DN_VMA_DROPPABLE)
		flags |= MAP_DROPPABLE;
	else
		flags |= MAP_PRIVATE;
	if (v->kind == DN__VMA__KIND__ANON || v->kind == DN__VMA__KIND__HUGETLB)
		flags |= MAP_ANONYMOUS;
	if (v->kind == DN__VMA__KIND__HUGETLB)
		flags |= MAP_HUGETLB | (uint64_t)v->huge_shift << MAP_HUGE_SHIFT;
	if (v->flags & DN_VMA_NORESERVE)
		flags |= MAP_NORESERVE;
	if (v->flags & DN_VMA_GROWSDOWN)
		flags |= MAP_GROWSDOWN;
	return flags;
}

/* Counted as committed memory, and so large that one call for all of it could be refused (the kernel compares it
 * with all memory that there is) where the program made it in several, which were merged. */
static bool is_large(const Dn__Vma *v)
{
	return v->kind <= DN__VMA__KIND__FILE_PRIVATE && dn_vma_fill_prot(v) & PROT_WRITE &&
	       !(v->flags & (DN_VMA_NORESERVE | DN_VMA_GROWSDOWN)) && v->end - v->start > LARGE_PIECE;
}

bool dn_vma_for_itself(const struct dn_restore *r, size_t i, const Dn__Vma *v)
{
	size_t count;
	const struct dn_image_process *all = dn_image_processes(r->image, &count);
	bool parent = false;

	for (size_t k = i + 1; k < count && is_large(v); k++) {
		if (r->memory->parent[k] != i)
			continue;
		parent = true;
		for (size_t c = dn_rebuild_find(&all[k], v->start); c < all[k].vma_count; c++) {
			const Dn__Vma *child = all[k].vmas[c];
			if (child->start >= v->end)
				break;
			if (child->inherit && child->start < v->end && child->inherit_end > v->start)
				return false;
		}
	}
	return parent;
}

static int map_pieces(struct mapping *m, const Dn__Vma *v, int fd, struct dn_error *err)
{
	uint64_t piece = is_large(v) ? LARGE_PIECE : v->end - v->start;
	int r = 0;

	for (uint64_t at = v->start; at < v->end && r >= 0; at += piece)
		r = dn_calls_add(m->calls, at, "map memory", err, SYS_mmap,
				 DN_ARGS(at, DN_MIN(piece, v->end - at), (uint64_t)dn_vma_fill_prot(v), map_flags(v),
					 (uint64_t)fd, v->offset + (at - v->start)));
	/* Nor could it be copied for a child by one call; what no child has, none gets. */
	if (r >= 0 && dn_vma_for_itself(m->r, m->i, v))
		r = dn_calls_add(m->calls, v->start, "keep memory from children", err, SYS_madvise,
				 DN_ARGS(v->start, v->end - v->start, MADV_DONTFORK));
	return r;
}

static int map_new(struct mapping *m, const Dn__Vma *v, struct dn_error *err)
{
	int fd = -1;

	if (v->kind == DN__VMA__KIND__FILE_PRIVATE || v->kind == DN__VMA__KIND__FILE_SHARED) {
		fd = dn_files_descriptor(m->r, v->file);
		if (fd < 0)
			return dn_error_set(err, fd, "the file of the memory at 0x%lx of process %u is not open",
					    v->start, m->p->process->pid);
	}
	int r = map_pieces(m, v, fd, err);
	/* Before there is any content: it decides on the size of the pages that take it. */
	if (r >= 0 && v->flags & (DN_VMA_HUGEPAGE | DN_VMA_NOHUGEPAGE))
		r = dn_calls_try(m->calls, v->start, "set the use of huge pages", err, SYS_madvise,
				 DN_ARGS(v->start, v->end - v->start,
					 v->flags & DN_VMA_HUGEPAGE ? MADV_HUGEPAGE : MADV_NOHUGEPAGE));
	if (r >= 0 && v->policy_mode)
		r = set_policy(m, v, v->start, v->end, err);
	return r;
}

/* ---- the kernel's pages ---- */

/* Was it mapped where it was wanted?  The kernel takes the address as a hint only. */
static int verify_vdso(struct mapping *m, uint64_t start, struct dn_error *err)
{
	char magic[4];
	struct dn_process *seed = m->r->seeds[m->i];

	if (dn_process_read(seed, start, magic, sizeof(magic), NULL) < 0 || memcmp(magic, "\177ELF", 4))
		return dn_error_say(err, -ENOMEM, "cannot map the vdso of process %u at 0x%lx", m->p->process->pid,
				    start);
	return 0;
}

static int map_kernel_pages(struct mapping *m, struct dn_error *err)
{
	const struct dn_memory_restore *sizes = m->r->memory;
	const Dn__Vma *vdso = NULL;

	for (size_t k = 0; k < m->p->vma_count && !vdso; k++) {
		if (m->p->vmas[k]->kind == DN__VMA__KIND__VDSO)
			vdso = m->p->vmas[k];
	}
	if (!vdso || vdso->inherit)
		return 0;
	if (vdso->end - vdso->start != sizes->vdso_size)
		return dn_error_say(err, -ENOEXEC, "the vdso of process %u has %lu bytes, that of this kernel %lu",
				    m->p->process->pid, vdso->end - vdso->start, sizes->vdso_size);
	uint64_t start = vdso->start - sizes->vvar_size, at = start;
	int r = dn_calls_add(m->calls, start, "map the vdso", err, SYS_arch_prctl, DN_ARGS(ARCH_MAP_VDSO_64, start));
	if (r >= 0)
		r = dn_calls_run(m->calls, err);
	if (r >= 0)
		r = verify_vdso(m, vdso->start, err);
	/* A process may have unmapped the data. */
	for (size_t k = dn_rebuild_find(m->p, start); r >= 0 && k < m->p->vma_count && m->p->vmas[k]->start < vdso->end;
	     k++) {
		r = unmap(m, at, DN_MIN(m->p->vmas[k]->start, vdso->start), err);
		at = m->p->vmas[k]->end;
	}
	return r;
}

/* Locking makes all pages present, and would take a process's own copy of each page that it shares with
 * its parent: so it is done before children are cloned, who do not inherit it. */
static int lock(struct mapping *m, const Dn__Vma *v, struct dn_error *err)
{
	if (!(v->flags & DN_VMA_LOCKED) || dn_vma_locked_late(v))
		return 0;
	return dn_lock_vma(m->calls, v, err);
}

int dn_memory_map(struct dn_restore *r, size_t i, struct dn_error *err)
{
	size_t count, parent = r->memory->parent[i];
	struct dn_image_process *all = dn_image_processes(r->image, &count);
	_cleanup_free_ struct dn_calls *calls = malloc(sizeof(*calls));
	struct mapping m = { r, i, &all[i], parent == DN_NO_PARENT ? NULL : &all[parent], calls };

	if (!calls)
		return dn_error_set(err, -ENOMEM, "cannot map the memory of process %u", all[i].process->pid);
	dn_calls_init(calls, r, i);
	int k = unmap_rest(&m, err);
	if (k >= 0)
		k = map_kernel_pages(&m, err);
	for (size_t v = 0; v < m.p->vma_count && k >= 0; v++) {
		if (m.p->vmas[v]->inherit)
			k = keep(&m, m.p->vmas[v], err);
		else if (!dn_vma_kernel(m.p->vmas[v]))
			k = map_new(&m, m.p->vmas[v], err);
	}
	for (size_t v = 0; v < m.p->vma_count && k >= 0; v++)
		k = lock(&m, m.p->vmas[v], err);
	return k < 0 ? k : dn_calls_run(calls, err);
}
