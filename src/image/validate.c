/* SPDX-License-Identifier: BSD-3-Clause */
/* validate.c - is what an image says of processes, threads and mappings possible?
 *
 * Checksums tell damage from intent, not sense from nonsense: whoever made an image may have made its
 * checksums too.  After these checks, ids lead somewhere, counts and sizes have limits, blobs have the
 * size of the struct that they are, and addresses are those of user space.  What only the kernel can judge
 * (does this machine have that processor, may this limit be set) is left to it.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sys/user.h>

#include "base/util.h"
#include "image/contents.h"

#define BAD(...) dn_error_say(err, -EBADMSG, __VA_ARGS__)

#define SIGNALS 64u
#define XSAVE_MIN 576u /* legacy area and header */
#define XSAVE_MAX 16384u
#define PENDING_MAX (1u << 20)
#define TIMERS_MAX (1u << 20)
#define LIMITS_MAX 64u
#define GROUPS_MAX 65536u /* NGROUPS_MAX */
#define AUXV_MAX 4096u
#define CPU_MASK_MAX 8192u /* 65536 processors */
#define NODE_MASK_MAX 1024u
#define ANON_NAME_MAX 80u /* ANON_VMA_NAME_MAX_LEN */
#define COMM_MAX 16u
#define SPECULATION_MAX 16u
#define MACHINE_CHECK_MAX 2u /* PR_MCE_KILL_DEFAULT */

static int check_info(const struct dn_image *image, struct dn_error *err)
{
	const Dn__ImageInfo *info = image->info;

	if (strcmp(info->architecture, "x86_64") != 0)
		return BAD("it is of the architecture '%.32s', this dunlin knows x86_64", info->architecture);
	if (info->page_size != DN_PAGE_SIZE)
		return BAD("its pages have %u bytes, this dunlin knows %lu", info->page_size, DN_PAGE_SIZE);
	if (info->xsave_size > XSAVE_MAX)
		return BAD("its processor state has %u bytes", info->xsave_size);
	if (info->vdso_hash.len != 0 && info->vdso_hash.len != 16)
		return BAD("its hash of the vdso has %zu bytes", info->vdso_hash.len);
	if (image->process_count == 0)
		return BAD("it has no process");
	if (info->root_pid && info->root_pid != image->processes[0].process->pid)
		return BAD("its root is process %u, but its first process is %u", info->root_pid,
			   image->processes[0].process->pid);
	if (info->processes && info->processes != image->process_count)
		return BAD("it should have %u processes and has %zu", info->processes, image->process_count);
	return 0;
}

static int check_pending(uint32_t id, size_t count, const ProtobufCBinaryData *pending, struct dn_error *err)
{
	if (count > PENDING_MAX)
		return BAD("%u has %zu pending signals", id, count);
	for (size_t i = 0; i < count; i++) {
		siginfo_t info;
		if (pending[i].len != sizeof(info))
			return BAD("%u has a pending signal of %zu bytes", id, pending[i].len);
		memcpy(&info, pending[i].data, sizeof(info));
		if (info.si_signo < 1 || info.si_signo > (int)SIGNALS)
			return BAD("%u has a pending signal %d", id, info.si_signo);
	}
	return 0;
}

/* ---- threads ---- */

static int check_credentials(uint32_t tid, const Dn__Credentials *c, struct dn_error *err)
{
	if (!c)
		return 0;
	if (c->n_uids != 4 || c->n_gids != 4)
		return BAD("thread or zombie %u has %zu user ids and %zu group ids", tid, c->n_uids, c->n_gids);
	if (c->n_groups > GROUPS_MAX)
		return BAD("thread %u is in %zu groups", tid, c->n_groups);
	return 0;
}

static int check_scheduling(uint32_t tid, const Dn__Scheduling *s, struct dn_error *err)
{
	if (!s)
		return 0;
	if (s->affinity.len > CPU_MASK_MAX || s->numa_nodes.len > NODE_MASK_MAX)
		return BAD("thread %u has a mask of processors or nodes that is too long", tid);
	if (s->nice < -20 || s->nice > 19)
		return BAD("thread %u has the nice value %d", tid, s->nice);
	return 0;
}

static int check_switches(uint32_t tid, const Dn__Switches *s, struct dn_error *err)
{
	if (!s)
		return 0;
	if (s->n_speculation > SPECULATION_MAX)
		return BAD("thread %u has %zu ways to speculate", tid, s->n_speculation);
	if (s->machine_check > MACHINE_CHECK_MAX)
		return BAD("thread %u does %u on machine checks", tid, s->machine_check);
	return 0;
}

static int check_thread(const Dn__Thread *t, struct dn_error *err)
{
	if (t->tid < 1 || t->tid > DN_PID_MAX)
		return BAD("a thread has the id %u", t->tid);
	if (t->comm.len > COMM_MAX)
		return BAD("thread %u has a name of %zu bytes", t->tid, t->comm.len);
	if (t->registers.len != sizeof(struct user_regs_struct))
		return BAD("thread %u has %zu bytes of registers, not %zu", t->tid, t->registers.len,
			   sizeof(struct user_regs_struct));
	if (t->xsave.len < XSAVE_MIN || t->xsave.len > XSAVE_MAX)
		return BAD("thread %u has %zu bytes of processor state", t->tid, t->xsave.len);
	if (t->parent_death_signal > SIGNALS)
		return BAD("thread %u has the parent death signal %u", t->tid, t->parent_death_signal);
	int r = check_pending(t->tid, t->n_pending, t->pending, err);
	if (r >= 0)
		r = check_credentials(t->tid, t->credentials, err);
	if (r >= 0)
		r = check_scheduling(t->tid, t->scheduling, err);
	if (r >= 0)
		r = check_switches(t->tid, t->switches, err);
	return r;
}

static int compare_ids(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* No id is used twice, by whatever process or thread. */
static int check_unique_ids(const struct dn_image *image, struct dn_error *err)
{
	size_t count = 0, n = 0;

	for (size_t i = 0; i < image->process_count; i++)
		count += DN_MAX(image->processes[i].thread_count, 1u);
	_cleanup_free_ uint32_t *ids = calloc(count, sizeof(*ids));
	if (!ids)
		return dn_error_set(err, -ENOMEM, "no memory to check %zu thread ids", count);
	for (size_t i = 0; i < image->process_count; i++) {
		const struct dn_image_process *p = &image->processes[i];
		ids[n++] = p->process->pid; /* that of the leader too */
		for (size_t k = 1; k < p->thread_count; k++)
			ids[n++] = p->threads[k]->tid;
	}
	qsort(ids, n, sizeof(*ids), compare_ids);
	for (size_t i = 1; i < n; i++)
		if (ids[i] == ids[i - 1])
			return BAD("two threads have the id %u", ids[i]);
	return 0;
}

static int check_threads(const struct dn_image_process *p, struct dn_error *err)
{
	uint32_t pid = p->process->pid;

	if (p->process->state == DN__PROCESS__STATE__ZOMBIE)
		return p->thread_count == 0 ? 0 : BAD("process %u is a zombie with threads", pid);
	if (p->thread_count == 0)
		return BAD("process %u has no threads", pid);
	if (p->threads[0]->tid != pid)
		return BAD("the first thread of process %u is %u, not its leader", pid, p->threads[0]->tid);
	for (size_t i = 0; i < p->thread_count; i++) {
		int r = check_thread(p->threads[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- mappings ---- */

/* Pairs of start and end, in order, page aligned, within [from, to). */
static int check_ranges(const Dn__Vma *v, const char *what, size_t count, const uint64_t *ranges, uint64_t to,
			struct dn_error *err)
{
	uint64_t last = v->start;

	if (count % 2)
		return BAD("the mapping at 0x%lx has half a range of %s", v->start, what);
	for (size_t i = 0; i < count; i += 2) {
		if (ranges[i] % DN_PAGE_SIZE || ranges[i + 1] % DN_PAGE_SIZE || ranges[i] < last ||
		    ranges[i + 1] <= ranges[i] || ranges[i + 1] > to)
			return BAD("the mapping at 0x%lx has %s that are not in order within it", v->start, what);
		last = ranges[i + 1];
	}
	return 0;
}

static int check_vma_inherit(const Dn__Vma *v, bool is_root, struct dn_error *err)
{
	if (!v->inherit) {
		if (v->inherit_end || v->n_absent)
			return BAD("the mapping at 0x%lx inherits nothing, but parts of it", v->start);
		return 0;
	}
	if (is_root)
		return BAD("the mapping at 0x%lx of the root is inherited", v->start);
	if (v->inherit_end % DN_PAGE_SIZE || v->inherit_end <= v->start || v->inherit_end > v->end)
		return BAD("the mapping at 0x%lx is inherited up to 0x%lx", v->start, v->inherit_end);
	return check_ranges(v, "absent pages", v->n_absent, v->absent, v->inherit_end, err);
}

static int check_vma(const struct dn_image *image, const Dn__Vma *v, uint64_t after, bool is_root, struct dn_error *err)
{
	bool of_file = v->kind == DN__VMA__KIND__FILE_PRIVATE || v->kind == DN__VMA__KIND__FILE_SHARED;

	if (v->start % DN_PAGE_SIZE || v->end % DN_PAGE_SIZE || v->start < after || v->end <= v->start ||
	    v->end > DN_ADDRESS_MAX)
		return BAD("the mapping 0x%lx-0x%lx is not one, or not in order", v->start, v->end);
	if (v->kind < DN__VMA__KIND__ANON || v->kind > DN__VMA__KIND__VVAR)
		return BAD("the mapping at 0x%lx is of the kind %d", v->start, v->kind);
	if (v->prot & ~7u)
		return BAD("the mapping at 0x%lx has the protection 0x%x", v->start, v->prot);
	if (of_file ? !dn_image_file(image, v->file) : v->file != 0)
		return BAD("the mapping at 0x%lx is of file %u, which %s", v->start, v->file,
			   of_file ? "the image does not have" : "its kind cannot be of");
	if (v->offset % DN_PAGE_SIZE || v->offset > INT64_MAX - (v->end - v->start))
		return BAD("the mapping at 0x%lx has the offset 0x%lx", v->start, v->offset);
	if (v->huge_shift && (v->huge_shift < 12 || v->huge_shift > 40))
		return BAD("the mapping at 0x%lx has pages of 2^%u bytes", v->start, v->huge_shift);
	if (strlen(v->name) >= ANON_NAME_MAX || v->policy_nodes.len > NODE_MASK_MAX)
		return BAD("the mapping at 0x%lx has a name or a memory policy that is too long", v->start);
	int r = check_ranges(v, "guard regions", v->n_guards, v->guards, v->end, err);
	return r < 0 ? r : check_vma_inherit(v, is_root, err);
}

static int check_vmas(const struct dn_image *image, const struct dn_image_process *p, struct dn_error *err)
{
	uint64_t after = 0;

	if (p->process->state == DN__PROCESS__STATE__ZOMBIE && p->vma_count)
		return BAD("process %u is a zombie with mappings", p->process->pid);
	for (size_t i = 0; i < p->vma_count; i++) {
		int r = check_vma(image, p->vmas[i], after, p == image->processes, err);
		if (r < 0)
			return dn_error_wrap(err, "process %u", p->process->pid);
		after = p->vmas[i]->end;
	}
	return 0;
}

/* The first mapping that ends after addr. */
static size_t find_vma(const struct dn_image_process *p, uint64_t addr)
{
	size_t low = 0, high = p->vma_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (p->vmas[middle]->end <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int dn_validate_runs(const struct dn_image *image, const struct dn_page_chunk *chunk, const struct dn_run *runs,
		     size_t run_count, struct dn_error *err)
{
	const struct dn_image_process *p = NULL;
	uint64_t size = 0;

	if (chunk->stage == DN_PAGES_OBJECT)
		size = DN_ALIGN_UP(dn_image_object(image, chunk->owner)->size, DN_PAGE_SIZE);
	else
		p = dn_contents_process(image, chunk->owner);
	for (size_t i = 0; i < run_count; i++) {
		uint64_t start = runs[i].addr, end = start + runs[i].pages * DN_PAGE_SIZE;
		if (!p) {
			if (end > size)
				return BAD("the image %s makes no sense: at offset %llu there are pages beyond the end "
					   "of object %u",
					   image->name, (unsigned long long)chunk->offset, chunk->owner);
			continue;
		}
		/* A run may go over several mappings if they have no gap. */
		for (size_t v = find_vma(p, start); start < end; v++) {
			if (v == p->vma_count || p->vmas[v]->start > start)
				return BAD("the image %s makes no sense: at offset %llu there are pages for 0x%lx of "
					   "process %u, "
					   "where it has no mapping",
					   image->name, (unsigned long long)chunk->offset, start, chunk->owner);
			start = p->vmas[v]->end;
		}
	}
	return 0;
}

/* ---- processes ---- */

static int check_signals(const Dn__Process *p, struct dn_error *err)
{
	uint64_t seen = 0;

	for (size_t i = 0; i < p->n_actions; i++) {
		uint32_t signal = p->actions[i]->signal;
		if (signal < 1 || signal > SIGNALS || (seen >> (signal - 1) & 1))
			return BAD("process %u has an action for signal %u, or two", p->pid, signal);
		seen |= 1ull << (signal - 1);
	}
	return check_pending(p->pid, p->n_pending, p->pending, err);
}

static int check_timers(const Dn__Process *p, struct dn_error *err)
{
	if (p->n_itimers > 3 || p->n_timers > TIMERS_MAX)
		return BAD("process %u has %zu interval timers and %zu POSIX timers", p->pid, p->n_itimers,
			   p->n_timers);
	for (size_t i = 0; i < p->n_timers; i++) {
		const Dn__PosixTimer *t = p->timers[i];
		if (t->id < 0 || t->signal < 0 || t->signal > (int)SIGNALS)
			return BAD("process %u has a timer %d with signal %d", p->pid, t->id, t->signal);
	}
	return 0;
}

static int check_limits(const Dn__Process *p, struct dn_error *err)
{
	if (p->n_limits > LIMITS_MAX)
		return BAD("process %u has %zu limits", p->pid, p->n_limits);
	for (size_t i = 0; i < p->n_limits; i++)
		if (p->limits[i]->resource >= LIMITS_MAX || p->limits[i]->soft > p->limits[i]->hard)
			return BAD("process %u has the limit %u with a soft value above the hard one, or no such limit "
				   "exists",
				   p->pid, p->limits[i]->resource);
	return 0;
}

static bool has_group(const struct dn_image *image, uint32_t group)
{
	for (size_t i = 0; i < image->process_count; i++)
		if (image->processes[i].process->pgid == group && !image->processes[i].process->pgid_outside)
			return true;
	return false;
}

/* The place in the tree: ids, parent before child, one root. */
static int check_place(const struct dn_image *image, size_t index, struct dn_error *err)
{
	const Dn__Process *p = image->processes[index].process;

	if (p->pid < 1 || p->pid > DN_PID_MAX)
		return BAD("a process has the pid %u", p->pid);
	if (p->pgid > DN_PID_MAX || p->sid > DN_PID_MAX)
		return BAD("process %u has the group %u and the session %u", p->pid, p->pgid, p->sid);
	if (index == 0 && p->foreground && !has_group(image, p->foreground))
		return BAD("the terminal belongs to the process group %u, which no process is in", p->foreground);
	if (index == 0)
		return p->ppid == 0 ? 0 : BAD("the first process, %u, is not the root", p->pid);
	const struct dn_image_process *parent = dn_contents_process(image, p->ppid);
	if (!parent || parent >= &image->processes[index])
		return BAD("process %u does not come after its parent %u", p->pid, p->ppid);
	if (parent->process->state == DN__PROCESS__STATE__ZOMBIE)
		return BAD("process %u has a zombie as its parent, %u", p->pid, p->ppid);
	bool found = p->parent_thread == 0;
	for (size_t i = 0; i < parent->thread_count && !found; i++)
		found = parent->threads[i]->tid == p->parent_thread;
	return found ? 0
		     : BAD("process %u is the child of thread %u, which its parent does not have", p->pid,
			   p->parent_thread);
}

static int check_process(const struct dn_image *image, size_t index, struct dn_error *err)
{
	const struct dn_image_process *part = &image->processes[index];
	const Dn__Process *p = part->process;

	int r = check_place(image, index, err);
	if (r < 0)
		return r;
	if (p->state < DN__PROCESS__STATE__RUNNING || p->state > DN__PROCESS__STATE__ZOMBIE)
		return BAD("process %u has the state %d", p->pid, p->state);
	if (p->stop_signal > SIGNALS || p->exit_signal > SIGNALS || p->exit_code > 0xffff)
		return BAD("process %u was stopped by signal %u, or ends with %u and signal %u", p->pid, p->stop_signal,
			   p->exit_code, p->exit_signal);
	if (p->umask > 0777)
		return BAD("process %u has the umask 0%o", p->pid, p->umask);
	if (p->oom_score_adj < -1000 || p->oom_score_adj > 1000)
		return BAD("process %u has the oom_score_adj %d", p->pid, p->oom_score_adj);
	if (strlen(p->comm) > COMM_MAX)
		return BAD("process %u has a name of %zu bytes", p->pid, strlen(p->comm));
	if (p->mm && p->mm->auxv.len > AUXV_MAX)
		return BAD("process %u has an auxiliary vector of %zu bytes", p->pid, p->mm->auxv.len);
	if (!p->mm && p->state != DN__PROCESS__STATE__ZOMBIE)
		return BAD("process %u has no memory", p->pid);
	r = check_signals(p, err);
	if (r >= 0)
		r = check_credentials(p->pid, p->zombie_credentials, err);
	if (r >= 0)
		r = check_timers(p, err);
	if (r >= 0)
		r = check_limits(p, err);
	if (r >= 0)
		r = check_vmas(image, part, err);
	return r < 0 ? r : check_threads(part, err);
}

static int check_chunks(const struct dn_image *image, struct dn_error *err)
{
	for (size_t i = 0; i < image->chunk_count; i++) {
		const struct dn_page_chunk *c = &image->chunks[i];
		if (c->stage == DN_PAGES_OBJECT ? !dn_image_object(image, c->owner)
						: !dn_contents_process(image, c->owner))
			return BAD("at offset %llu there are pages of %s %u, which the image does not have",
				   (unsigned long long)c->offset, c->stage == DN_PAGES_OBJECT ? "object" : "process",
				   c->owner);
	}
	return 0;
}

int dn_validate(const struct dn_image *image, struct dn_error *err)
{
	int r = check_info(image, err);

	for (size_t i = 0; i < image->process_count && r >= 0; i++)
		r = check_process(image, i, err);
	if (r >= 0)
		r = check_unique_ids(image, err);
	if (r >= 0)
		r = dn_validate_files(image, err);
	if (r >= 0)
		r = check_chunks(image, err);
	return r;
}
