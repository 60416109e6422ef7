/* SPDX-License-Identifier: BSD-3-Clause */
/* describe.c - address spaces as messages of the image */
#include <errno.h>
#include <sys/syscall.h>

#include "base/proc.h"
#include "base/util.h"
#include "memory/space.h"
#include "resource/message.h"

#define VMAS_PER_RECORD 8192u

/* ---- Vmas ---- */

/* The part of runs that lies in a mapping, as start, end pairs. */
static int put_ranges(const struct dn_runs *runs, const struct dn_map *m, uint64_t **array, size_t *n)
{
	for (size_t i = dn_runs_find(runs, m->start); i < runs->count; i++) {
		struct dn_run run;
		dn_runs_get(runs, i, &run);
		if (!dn_run_clip(&run, m->start, m->end))
			break;
		uint64_t *start = dn_message_append(array, n, sizeof(**array));
		if (!start)
			return -ENOMEM;
		*start = run.addr;
		uint64_t *end = dn_message_append(array, n, sizeof(**array));
		if (!end)
			return -ENOMEM;
		*end = run.addr + run.pages * DN_PAGE_SIZE;
	}
	return 0;
}

static int put_policy(const struct dn_policy *policy, Dn__Vma *v)
{
	size_t len = sizeof(policy->nodes);

	while (len && !policy->nodes[len - 1])
		len--;
	v->policy_mode = policy->mode;
	return dn_message_bytes(&v->policy_nodes, policy->nodes, len);
}

static int put_vma(const struct dn_space *s, const struct dn_map *m, Dn__Vma *v)
{
	v->start = m->start;
	v->end = m->end;
	v->prot = m->prot;
	v->kind = (Dn__Vma__Kind)m->kind;
	v->file = m->file;
	v->offset = m->offset;
	v->flags = m->flags;
	v->huge_shift = m->huge_shift;
	v->inherit = m->inherit_end != 0;
	v->inherit_end = m->inherit_end;
	int r = 0;
	if (m->name)
		r = dn_message_string(&v->name, s->names + m->name);
	if (r >= 0 && m->policy)
		r = put_policy(&s->policies[m->policy - 1], v);
	if (r >= 0)
		r = put_ranges(&s->guards, m, &v->guards, &v->n_guards);
	if (r >= 0)
		r = put_ranges(&s->absent, m, &v->absent, &v->n_absent);
	return r;
}

static int write_record(struct dn_capture *c, const struct dn_space *s, size_t from, size_t to, struct dn_error *err)
{
	Dn__Vmas *vmas = dn_message_new(&dn__vmas__descriptor);
	int r = vmas ? 0 : -ENOMEM;

	for (size_t i = from; i < to && r >= 0; i++) {
		Dn__Vma *v = dn_message_add(&vmas->vmas, &vmas->n_vmas, &dn__vma__descriptor);
		r = v ? put_vma(s, &s->maps[i], v) : -ENOMEM;
	}
	if (r < 0) {
		dn_error_set(err, r, "cannot describe the mappings of process %d", s->process->pid);
	} else {
		vmas->pid = (uint32_t)s->process->pid;
		r = dn_image_write_message(c->writer, DN_RECORD_VMAS, &vmas->base, err);
	}
	if (vmas)
		dn__vmas__free_unpacked(vmas, NULL);
	return r;
}

int dn_memory_write_maps(struct dn_capture *c, struct dn_process *p, struct dn_error *err)
{
	const struct dn_space *s = dn_memory_space(c, p);
	size_t i = 0;

	while (s && i < s->count) {
		size_t n = DN_MIN(s->count - i, (size_t)VMAS_PER_RECORD);
		int r = write_record(c, s, i, i + n, err);
		if (r < 0)
			return r;
		i += n;
	}
	return 0;
}

/* ---- Mm ---- */

int dn_memory_fill_mm(struct dn_capture *c, struct dn_process *p, Dn__Process *message, struct dn_error *err)
{
	const struct dn_space *s = dn_memory_space(c, p);
	_cleanup_text_ struct dn_text auxv = {};
	struct dn_stat stat;
	long brk;

	if (!s)
		return 0;
	if (!message->mm)
		message->mm = dn_message_new(&dn__mm__descriptor);
	Dn__Mm *mm = message->mm;
	if (!mm)
		return dn_error_set(err, -ENOMEM, "cannot describe the memory of process %d", p->pid);
	int r = dn_stat_read(p->pid, 0, &stat, err);
	if (r >= 0)
		r = dn_read_text(&auxv, err, "/proc/%d/auxv", p->pid);
	if (r >= 0)
		r = dn_remote_call(p->threads[0]->remote, "ask for the end of the heap", &brk, err, SYS_brk,
				   (const uint64_t[6]){});
	if (r >= 0)
		r = dn_files_capture_link(c, p, "exe", &mm->exe_file, err);
	if (r < 0)
		return r;
	mm->start_code = stat.start_code;
	mm->end_code = stat.end_code;
	mm->start_data = stat.start_data;
	mm->end_data = stat.end_data;
	mm->start_brk = stat.start_brk;
	mm->brk = (uint64_t)brk;
	mm->lock_future = s->locks_future ? (s->locks_on_fault ? 3 : 1) : 0;
	mm->start_stack = stat.start_stack;
	mm->arg_start = stat.arg_start;
	mm->arg_end = stat.arg_end;
	mm->env_start = stat.env_start;
	mm->env_end = stat.env_end;
	return dn_message_bytes(&mm->auxv, auxv.data, auxv.len) < 0
		       ? dn_error_set(err, -ENOMEM, "cannot describe the memory of process %d", p->pid)
		       : 0;
}
