/* SPDX-License-Identifier: BSD-3-Clause */
/* vma.c - the mappings of a held process: what they are, and which cannot be kept */
#include <errno.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/kernel.h"
#include "base/log.h"
#include "base/util.h"
#include "memory/scan.h"
#include "memory/smaps.h"
#include "memory/space.h"
#include "tracee/arena.h"

/* The gate page of the kernel: in every process, and not of it. */
#define VSYSCALL_START 0xffffffffff600000ull

struct reading {
	struct dn_capture *c;
	struct dn_space *space;
	uint64_t vvar_end; /* where the vvar pages met last end */
};

static const struct {
	enum dn_smaps_flag from;
	uint64_t to;
} flag_map[] = {
	{ DN_SMAPS_GD, DN_VMA_GROWSDOWN },  { DN_SMAPS_NR, DN_VMA_NORESERVE },	 { DN_SMAPS_AC, DN_VMA_ACCOUNT },
	{ DN_SMAPS_LO, DN_VMA_LOCKED },	    { DN_SMAPS_LF, DN_VMA_LOCKONFAULT }, { DN_SMAPS_DC, DN_VMA_DONTFORK },
	{ DN_SMAPS_WF, DN_VMA_WIPEONFORK }, { DN_SMAPS_DD, DN_VMA_DONTDUMP },	 { DN_SMAPS_HG, DN_VMA_HUGEPAGE },
	{ DN_SMAPS_NH, DN_VMA_NOHUGEPAGE }, { DN_SMAPS_MG, DN_VMA_MERGEABLE },	 { DN_SMAPS_SR, DN_VMA_SEQUENTIAL },
	{ DN_SMAPS_RR, DN_VMA_RANDOM },	    { DN_SMAPS_SL, DN_VMA_SEALED },	 { DN_SMAPS_DP, DN_VMA_DROPPABLE },
};

static int refuse(const struct reading *r, const struct dn_smaps_entry *e, struct dn_error *err, const char *why)
{
	return dn_error_refuse(err, "process %d has memory at 0x%lx-0x%lx%s%s that cannot be captured: %s",
			       r->space->process->pid, e->start, e->end, e->name[0] ? " " : "", e->name, why);
}

static bool starts_with(const char *text, const char *start)
{
	return !strncmp(text, start, strlen(start));
}

/* What neither the text of the files' driver nor a copy of the pages could bring back. */
static int check_kept(const struct reading *r, const struct dn_smaps_entry *e, struct dn_error *err)
{
	static const struct {
		const char *start, *why;
	} names[] = {
		{ "/SYSV", "System V shared memory is not supported yet" },
		{ "/[aio]", "asynchronous I/O contexts (io_setup) are not supported" },
		{ "/secretmem", "secret memory (memfd_secret) cannot be read from outside" },
		{ "anon_inode:[io_uring]", "io_uring is not supported" },
		{ "anon_inode:[perf_event]", "performance counters are not supported" },
		{ "anon_inode:", "it belongs to a descriptor of a kind that is not supported" },
		{ "socket:", "packet rings are not supported" },
		{ "[uprobes]", "it is traced with uprobes: remove the probes first" },
	};

	for (size_t i = 0; i < DN_ARRAY_LEN(names); i++) {
		if (starts_with(e->name, names[i].start))
			return refuse(r, e, err, names[i].why);
	}
	if (e->name_too_long)
		return refuse(r, e, err, "the path of its file is longer than PATH_MAX");
	if (e->flags & (DN_SMAPS_BIT(DN_SMAPS_PF) | DN_SMAPS_BIT(DN_SMAPS_IO)))
		return refuse(r, e, err, "it is the memory of a device");
	if (e->flags & (DN_SMAPS_BIT(DN_SMAPS_UM) | DN_SMAPS_BIT(DN_SMAPS_UW) | DN_SMAPS_BIT(DN_SMAPS_UI)))
		return refuse(r, e, err, "its page faults are served by a userfaultfd");
	if (e->flags & DN_SMAPS_BIT(DN_SMAPS_SS))
		return refuse(r, e, err, "shadow stacks are not supported");
	if (e->flags & DN_SMAPS_BIT(DN_SMAPS_SF))
		return refuse(r, e, err, "persistent memory (MAP_SYNC) is not supported");
	if (e->pkey)
		return refuse(r, e, err, "memory protection keys are not supported");
	return 0;
}

/* [vvar], [vvar_vclock] and [vdso] were mapped by the kernel as one piece, and are again at restart. */
static int take_kernel_page(struct reading *r, const struct dn_smaps_entry *e, struct dn_map *m, struct dn_error *err)
{
	if (!strcmp(e->name, "[vdso]")) {
		if (r->vvar_end != e->start)
			return refuse(r, e, err, "the vdso was moved away from its data");
		m->kind = DN__VMA__KIND__VDSO;
		return 0;
	}
	if (r->vvar_end && r->vvar_end != e->start)
		return refuse(r, e, err, "the vdso's data was moved");
	r->vvar_end = e->end;
	m->kind = DN__VMA__KIND__VVAR;
	return 0;
}

static int keep_name(struct dn_space *s, struct dn_map *m, const char *name, size_t len, struct dn_error *err)
{
	/* 0 means none: nothing starts there. */
	size_t at = s->names_len ? s->names_len : 1;

	if (dn_grow(&s->names, &s->names_cap, at + len + 1, 1) < 0)
		return dn_error_set(err, -ENOMEM, "cannot note the name of a mapping");
	memcpy(s->names + at, name, len);
	s->names[at + len] = '\0';
	s->names_len = at + len + 1;
	m->name = (uint32_t)at;
	return 0;
}

/* "[anon:NAME]" and "[anon_shmem:NAME]"; *ret_shared: the latter. */
static int take_anon_name(struct dn_space *s, const struct dn_smaps_entry *e, struct dn_map *m, bool *ret_shared,
			  struct dn_error *err)
{
	size_t len = strlen(e->name), skip;

	if (starts_with(e->name, "[anon:"))
		skip = strlen("[anon:");
	else if (starts_with(e->name, "[anon_shmem:"))
		skip = strlen("[anon_shmem:");
	else
		return 0;
	if (len < skip + 1 || e->name[len - 1] != ']')
		return 0;
	*ret_shared = e->name[5] == '_';
	return keep_name(s, m, e->name + skip, len - skip - 1, err);
}

static unsigned int page_shift(uint64_t size)
{
	return size > DN_PAGE_SIZE ? (unsigned int)__builtin_ctzll(size) : 0;
}

static int take_file(struct reading *r, const struct dn_smaps_entry *e, struct dn_map *m, const char *name,
		     struct dn_error *err)
{
	bool writable = e->shared && e->flags & DN_SMAPS_BIT(DN_SMAPS_MW);

	m->kind = e->shared ? DN__VMA__KIND__FILE_SHARED : DN__VMA__KIND__FILE_PRIVATE;
	m->offset = e->offset;
	m->dev = e->dev;
	m->ino = e->ino;
	return dn_files_capture_mapping(r->c, r->space->process, e->start, e->end, e->dev, e->ino, name,
					writable ? O_RDWR : O_RDONLY, e->prot & PROT_EXEC, !e->shared, &m->file, err);
}

static int classify(struct reading *r, const struct dn_smaps_entry *e, struct dn_map *m, struct dn_error *err)
{
	bool shared_name = false;

	if (starts_with(e->name, "[vvar") || !strcmp(e->name, "[vdso]"))
		return take_kernel_page(r, e, m, err);
	int n = check_kept(r, e, err);
	if (n < 0)
		return n;
	if (e->flags & DN_SMAPS_BIT(DN_SMAPS_HT))
		m->huge_shift = (uint8_t)page_shift(e->page_size);
	n = take_anon_name(r->space, e, m, &shared_name, err);
	if (n < 0)
		return n;
	/* Private huge pages hang on a file inside the kernel which nobody else sees. */
	if (m->huge_shift && !e->shared && starts_with(e->name, "/anon_hugepage"))
		m->kind = DN__VMA__KIND__HUGETLB;
	else if (e->ino || e->dev || shared_name)
		return take_file(r, e, m, shared_name ? "/dev/zero (deleted)" : e->name, err);
	else if (m->name || !e->name[0] || starts_with(e->name, "[heap]") || starts_with(e->name, "[stack"))
		m->kind = DN__VMA__KIND__ANON;
	else
		return refuse(r, e, err, "it is of a kind that is not known");
	return 0;
}

static int take_entry(const struct dn_smaps_entry *e, void *arg, struct dn_error *err)
{
	struct reading *r = arg;
	struct dn_space *s = r->space;
	struct dn_map m = { .start = e->start, .end = e->end, .prot = (uint8_t)e->prot };

	if (e->start >= VSYSCALL_START)
		return 0;
	if (dn_arena_owns(s->process, e->start, e->end)) {
		/* It was mapped a moment ago as any new mapping would be: mlockall(MCL_FUTURE) shows in it. */
		s->locks_future = e->flags & DN_SMAPS_BIT(DN_SMAPS_LO);
		s->locks_on_fault = e->flags & DN_SMAPS_BIT(DN_SMAPS_LF);
		return 0;
	}
	if (s->count && e->start < s->maps[s->count - 1].end)
		return dn_error_say(err, -EINVAL, "the mappings are not in order");
	for (size_t i = 0; i < DN_ARRAY_LEN(flag_map); i++) {
		if (e->flags & DN_SMAPS_BIT(flag_map[i].from))
			m.flags |= flag_map[i].to;
	}
	int n = classify(r, e, &m, err);
	if (n < 0)
		return n;
	m.swapped = e->swap > 0;
	if (dn_map_private(&m)) {
		uint64_t bytes = e->anonymous + e->swap + e->huge;
		m.resident = bytes > 0;
		m.forked = e->shared_dirty || (m.kind != DN__VMA__KIND__FILE_PRIVATE && e->shared_clean);
		s->bytes += bytes;
	} else {
		m.resident = e->rss + e->swap + e->huge > 0;
	}
	if (dn_grow(&s->maps, &s->cap, s->count, sizeof(*s->maps)) < 0)
		return dn_error_set(err, -ENOMEM, "cannot note a mapping");
	s->maps[s->count++] = m;
	return 0;
}

struct dn_space *dn_memory_space(struct dn_capture *c, const struct dn_process *p)
{
	for (size_t i = c->memory ? c->memory->count : 0; p && i-- > 0;) {
		if (c->memory->spaces[i]->process == p)
			return c->memory->spaces[i];
	}
	return NULL;
}

size_t dn_space_find(const struct dn_space *s, uint64_t addr)
{
	size_t low = 0, high = s->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (s->maps[middle].end > addr)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* ---- NUMA policies ---- */

static int keep_policy(struct dn_space *s, struct dn_map *m, uint32_t mode, const unsigned char *nodes,
		       struct dn_error *err)
{
	if (dn_grow(&s->policies, &s->policy_cap, s->policy_count, sizeof(*s->policies)) < 0)
		return dn_error_set(err, -ENOMEM, "cannot note a memory policy");
	struct dn_policy *policy = &s->policies[s->policy_count++];
	policy->mode = mode;
	memcpy(policy->nodes, nodes, sizeof(policy->nodes));
	m->policy = (uint32_t)s->policy_count;
	return 0;
}

/* The nodes of the few mappings that have a policy. */
static int read_nodes(struct dn_space *s, struct dn_map *m, struct dn_error *err)
{
	struct dn_batch b;
	void *mode, *nodes;

	dn_batch_begin(&b, s->process->threads[0]->remote);
	uint64_t mode_at = dn_batch_alloc(&b, sizeof(int), &mode);
	uint64_t nodes_at = dn_batch_alloc(&b, DN_POLICY_NODES / 8, &nodes);
	/* The kernel counts one bit less than it is told. */
	dn_batch_call(&b, "ask for the NUMA policy of a mapping", SYS_get_mempolicy, mode_at, nodes_at,
		      DN_POLICY_NODES + 1, m->start, MPOL_F_ADDR);
	int n = dn_batch_run(&b, err);
	if (n < 0)
		return n;
	return keep_policy(s, m, *(uint32_t *)mode, nodes, err);
}

/* Modes first, hundreds at once: hardly any mapping has one. */
static int read_policies(struct dn_capture *c, struct dn_space *s, struct dn_error *err)
{
	struct dn_batch b;

	for (size_t i = 0; i < s->count && !c->memory->no_policies;) {
		void *local;
		dn_batch_begin(&b, s->process->threads[0]->remote);
		size_t n = DN_MIN(s->count - i, (size_t)DN_LEADER_SLOT_CALLS);
		uint64_t at = dn_batch_alloc(&b, n * sizeof(uint32_t), &local);
		for (size_t k = 0; k < n; k++)
			dn_batch_try(&b, "ask for NUMA policies", SYS_get_mempolicy, at + k * sizeof(uint32_t), 0, 0,
				     s->maps[i + k].start, MPOL_F_ADDR);
		int r = dn_batch_run(&b, err);
		if (r < 0)
			return r;
		c->memory->no_policies = dn_batch_result(&b, 0) == -ENOSYS;
		const uint32_t *modes = local;
		uint64_t set[DN_LEADER_SLOT_CALLS / 64 + 1] = {};
		/* read_nodes() uses the slot again. */
		for (size_t k = 0; k < n; k++) {
			if (dn_batch_result(&b, k) == 0 && modes[k] != MPOL_DEFAULT)
				set[k / 64] |= 1ull << k % 64;
		}
		for (size_t k = 0; k < n; k++) {
			r = set[k / 64] & 1ull << k % 64 ? read_nodes(s, &s->maps[i + k], err) : 0;
			if (r < 0)
				return r;
		}
		i += n;
	}
	return 0;
}

/* ---- the whole ---- */

static int add_space(struct dn_capture *c, struct dn_process *p, struct dn_space **ret, struct dn_error *err)
{
	if (!c->memory) {
		c->memory = calloc(1, sizeof(*c->memory));
		if (!c->memory)
			return dn_error_set(err, -ENOMEM, "cannot note mappings");
		c->memory->frames = dn_scan_frames(&c->memory->zero_frame);
	}
	struct dn_memory *m = c->memory;
	struct dn_space *s = calloc(1, sizeof(*s));
	if (!s || dn_grow(&m->spaces, &m->cap, m->count, sizeof(struct dn_space *)) < 0) {
		free(s);
		return dn_error_set(err, -ENOMEM, "cannot note mappings");
	}
	s->process = p;
	s->index = m->count;
	m->spaces[m->count++] = s;
	*ret = s;
	return 0;
}

int dn_memory_capture_maps(struct dn_capture *c, struct dn_process *p, struct dn_error *err)
{
	struct dn_space *s = NULL;

	if (p->zombie)
		return 0;
	int r = add_space(c, p, &s, err);
	if (r < 0)
		return r;
	struct reading reading = { .c = c, .space = s };
	r = dn_smaps_read(p->pid, take_entry, &reading, err);
	if (r < 0 && err && err->outcome == DN_OUTCOME_REFUSED)
		return r;
	if (r < 0)
		return dn_error_wrap(err, "cannot read the mappings of process %d", p->pid);
	r = read_policies(c, s, err);
	if (r >= 0)
		r = dn_scan_guards(s, err);
	if (r < 0)
		return dn_error_wrap(err, "cannot read the mappings of process %d", p->pid);
	if (c->options && c->options->stats)
		c->options->stats->mappings += (uint32_t)s->count;
	return 0;
}

static void free_space(struct dn_space *s)
{
	free(s->maps);
	free(s->names);
	free(s->policies);
	for (size_t i = 0; i < s->loan_count; i++)
		dn_runs_finish(&s->loans[i].runs);
	free(s->loans);
	dn_runs_finish(&s->runs);
	dn_runs_finish(&s->absent);
	dn_runs_finish(&s->guards);
	free(s);
}

void dn_memory_capture_finish(struct dn_capture *c)
{
	struct dn_memory *m = c->memory;

	if (!m)
		return;
	for (size_t i = 0; i < m->count; i++)
		free_space(m->spaces[i]);
	for (size_t i = 0; i < m->view_count; i++)
		dn_runs_finish(&m->views[i].runs);
	free(m->views);
	free(m->spaces);
	free(m);
	c->memory = NULL;
}
