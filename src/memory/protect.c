/* SPDX-License-Identifier: BSD-3-Clause */
/* protect.c - what mappings get when their content is there: protections, flags, names, locks, seals
 *
 * These come after all clones, so that a child is not given what only its parent has.
 */
#include <errno.h>
#include <linux/prctl.h>
#include <sys/syscall.h>

#include "base/kernel.h"
#include "base/log.h"
#include "memory/rebuild.h"

#ifndef PR_SET_VMA /* 5.17 */
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif
#ifndef MCL_ONFAULT
#define MCL_ONFAULT 4
#endif
#ifndef MLOCK_ONFAULT
#define MLOCK_ONFAULT 1
#endif

#define NAME_ROOM 80u

int dn_lock_vma(struct dn_calls *calls, const Dn__Vma *v, struct dn_error *err)
{
	uint64_t flags = v->flags & DN_VMA_LOCKONFAULT ? MLOCK_ONFAULT : 0;
	const uint64_t args[6] = { v->start, v->end - v->start, flags };

	/* What has no permissions, or is behind the end of a file, is locked all the same, but cannot be made
	 * present, which is reported as a failure. */
	if (dn_vma_private(v) && v->kind != DN__VMA__KIND__FILE_PRIVATE && dn_vma_fill_prot(v) & PROT_READ)
		return dn_calls_try(calls, v->start, "lock memory", err, SYS_mlock2, args);
	return dn_calls_ignore(calls, v->start, "lock memory", err, SYS_mlock2, args);
}

/* In a process whose pages are all merged, what is not was excepted. */
static int except_from_merging(struct dn_calls *calls, const Dn__Vma *v, struct dn_error *err)
{
	bool can = v->kind == DN__VMA__KIND__ANON || v->kind == DN__VMA__KIND__FILE_PRIVATE;

	if (!can || v->flags & DN_VMA_MERGEABLE)
		return 0;
	return dn_calls_ignore(calls, v->start, "advise on memory", err, SYS_madvise,
			       DN_ARGS(v->start, v->end - v->start, MADV_UNMERGEABLE));
}

static int advise(struct dn_calls *calls, const Dn__Vma *v, struct dn_error *err)
{
	static const struct {
		uint64_t flag;
		int advice;
		bool optional;
	} advices[] = {
		{ DN_VMA_DONTFORK, MADV_DONTFORK, false }, { DN_VMA_WIPEONFORK, MADV_WIPEONFORK, false },
		{ DN_VMA_DONTDUMP, MADV_DONTDUMP, false }, { DN_VMA_SEQUENTIAL, MADV_SEQUENTIAL, false },
		{ DN_VMA_RANDOM, MADV_RANDOM, false },	   { DN_VMA_MERGEABLE, MADV_MERGEABLE, true },
	};
	/* Droppable memory is wiped on fork and not dumped by itself. */
	uint64_t implied = v->flags & DN_VMA_DROPPABLE ? DN_VMA_WIPEONFORK | DN_VMA_DONTDUMP : 0;
	int r = 0;

	for (size_t i = 0; i < DN_ARRAY_LEN(advices) && r >= 0; i++) {
		const uint64_t args[6] = { v->start, v->end - v->start, (uint64_t)advices[i].advice };
		if (!(v->flags & ~implied & advices[i].flag))
			continue;
		r = (advices[i].optional ? dn_calls_try : dn_calls_add)(calls, v->start, "advise on memory", err,
									SYS_madvise, args);
	}
	return r;
}

static int set_name(struct dn_calls *calls, const Dn__Vma *v, struct dn_error *err)
{
	char name[NAME_ROOM] = {};

	int r = dn_calls_room(calls, 1, sizeof(name), err);
	if (r < 0)
		return r;
	strncpy(name, v->name, sizeof(name) - 1);
	uint64_t at = dn_batch_put(&calls->batch, name, sizeof(name));
	return dn_calls_try(calls, v->start, "name memory", err, SYS_prctl,
			    DN_ARGS(PR_SET_VMA, PR_SET_VMA_ANON_NAME, v->start, v->end - v->start, at));
}

static int protect_vma(struct dn_calls *calls, const Dn__Vma *v, struct dn_error *err)
{
	int r = 0;

	if (dn_vma_kernel(v))
		return 0;
	if (dn_vma_fill_prot(v) != (int)v->prot)
		r = dn_calls_add(calls, v->start, "protect memory", err, SYS_mprotect,
				 DN_ARGS(v->start, v->end - v->start, v->prot));
	if (r >= 0 && v->name && v->name[0])
		r = set_name(calls, v, err);
	for (size_t i = 0; i + 1 < v->n_guards && r >= 0; i += 2)
		r = dn_calls_add(calls, v->guards[i], "install a guard region", err, SYS_madvise,
				 DN_ARGS(v->guards[i], v->guards[i + 1] - v->guards[i], MADV_GUARD_INSTALL));
	if (r >= 0)
		r = advise(calls, v, err);
	if (r >= 0 && v->flags & DN_VMA_LOCKED && dn_vma_locked_late(v))
		r = dn_lock_vma(calls, v, err);
	return r;
}

/* brk, auxv, exe and where arguments and environment are. */
static int set_mm(struct dn_restore *r, struct dn_calls *calls, const Dn__Mm *mm, struct dn_error *err)
{
	int exe = mm->exe_file ? dn_files_descriptor(r, mm->exe_file) : -1;

	if (mm->exe_file && exe < 0)
		return dn_error_set(err, exe, "the executable file of process %u is not open", calls->pid);
	int k = dn_calls_room(calls, 1, mm->auxv.len + sizeof(struct prctl_mm_map) + 64, err);
	if (k < 0)
		return k;
	struct prctl_mm_map map = {
		.start_code = mm->start_code,
		.end_code = mm->end_code,
		.start_data = mm->start_data,
		.end_data = mm->end_data,
		.start_brk = mm->start_brk,
		.brk = mm->brk,
		.start_stack = mm->start_stack,
		.arg_start = mm->arg_start,
		.arg_end = mm->arg_end,
		.env_start = mm->env_start,
		.env_end = mm->env_end,
		.auxv_size = (uint32_t)mm->auxv.len,
		.exe_fd = (uint32_t)exe,
	};
	if (mm->auxv.len)
		map.auxv = (void *)(uintptr_t)dn_batch_put(&calls->batch, mm->auxv.data, mm->auxv.len);
	uint64_t at = dn_batch_put(&calls->batch, &map, sizeof(map));
	return dn_calls_add(calls, mm->start_brk, "set heap, arguments and executable", err, SYS_prctl,
			    DN_ARGS(PR_SET_MM, PR_SET_MM_MAP, at, sizeof(map)));
}

/* They do not get it any more: all are there. */
static int let_children_have(struct dn_restore *r, size_t i, struct dn_calls *calls, struct dn_error *err)
{
	size_t count;
	const struct dn_image_process *p = &dn_image_processes(r->image, &count)[i];
	int k = 0;

	for (size_t v = 0; v < p->vma_count && k >= 0; v++)
		if (dn_vma_for_itself(r, i, p->vmas[v]))
			k = dn_calls_add(calls, p->vmas[v]->start, "let children have memory", err, SYS_madvise,
					 DN_ARGS(p->vmas[v]->start, p->vmas[v]->end - p->vmas[v]->start, MADV_DOFORK));
	return k;
}

static int set_lock_future(struct dn_calls *calls, const Dn__Mm *mm, struct dn_error *err)
{
	uint64_t flags = MCL_FUTURE | (mm->lock_future & 2 ? MCL_ONFAULT : 0);

	if (!mm->lock_future)
		return 0;
	return dn_calls_add(calls, 0, "lock future memory", err, SYS_mlockall, DN_ARGS(flags));
}

int dn_memory_protect(struct dn_restore *r, size_t i, struct dn_error *err)
{
	size_t count;
	const struct dn_image_process *p = &dn_image_processes(r->image, &count)[i];
	_cleanup_free_ struct dn_calls *calls = malloc(sizeof(*calls));
	int k;

	if (!calls)
		return dn_error_set(err, -ENOMEM, "cannot protect the memory of process %u", p->process->pid);
	dn_calls_init(calls, r, i);
	k = let_children_have(r, i, calls, err);
	for (size_t v = 0; v < p->vma_count && k >= 0; v++) {
		k = protect_vma(calls, p->vmas[v], err);
		if (k >= 0 && p->process->memory_merge)
			k = except_from_merging(calls, p->vmas[v], err);
	}
	if (k >= 0 && p->process->mm)
		k = set_mm(r, calls, p->process->mm, err);
	if (k >= 0 && p->process->mm)
		k = set_lock_future(calls, p->process->mm, err);
	return k < 0 ? k : dn_calls_run(calls, err);
}

int dn_memory_seal(struct dn_restore *r, size_t i, struct dn_error *err)
{
	size_t count;
	const struct dn_image_process *p = &dn_image_processes(r->image, &count)[i];
	_cleanup_free_ struct dn_calls *calls = malloc(sizeof(*calls));
	int k = 0;

	if (!calls)
		return dn_error_set(err, -ENOMEM, "cannot seal the memory of process %u", p->process->pid);
	dn_calls_init(calls, r, i);
	for (size_t v = 0; v < p->vma_count && k >= 0; v++) {
		const Dn__Vma *vma = p->vmas[v];
		if (vma->flags & DN_VMA_SEALED && !dn_vma_kernel(vma))
			k = dn_calls_add(calls, vma->start, "seal memory", err, SYS_mseal,
					 DN_ARGS(vma->start, vma->end - vma->start, 0));
	}
	return k < 0 ? k : dn_calls_run(calls, err);
}
