/* SPDX-License-Identifier: BSD-3-Clause */
/* family.c - who creates whom, sessions and process groups
 *
 * Theory of operation.  A process is in the session of its creator at the moment of its creation, or in
 * its own by setsid().  So a child whose session is that which its parent was born in is created before
 * the parent calls setsid(), one of the parent's own session after it.  Any other session comes from
 * somebody else: a process of that session (its leader, or a helper that plays the leader who is gone)
 * clones a helper, the helper clones the child and ends, and the child falls to its true parent, who is
 * made a subreaper for that moment: which is how it came about in the first place.
 * Groups are formed last: leaders make them, members join; for a leader who is gone a helper with its
 * pid makes the group and ends when all have joined.
 */
#include "restore/family.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/util.h"
#include "memory/memory.h"
#include "restore/seed.h"
#include "tracee/control.h"

struct family {
	struct dn_restore *r;
	struct dn_image_process *p;
	size_t n;
	size_t *parent;	 /* index, SIZE_MAX for the root */
	pid_t *birth;	 /* the session it is born in, 0: outside */
	bool *leads_now; /* setsid() was called */
};

#define NONE SIZE_MAX

static size_t index_of(const struct family *f, uint32_t pid)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->p[i].process->pid == pid)
			return i;
	return NONE;
}

/* The session a process ends up in, 0: that of dunlin. */
static pid_t session(const struct family *f, size_t i)
{
	const Dn__Process *m = f->p[i].process;

	if (m->sid_outside)
		return 0;
	return (pid_t)m->sid;
}

static int remote1(struct dn_process *seed, const char *what, struct dn_error *err, long nr, uint64_t a, uint64_t b)
{
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): parents were created first */
	return dn_remote_call(seed->threads[0]->remote, what, NULL, err, nr, (const uint64_t[6]){ a, b });
}

static int set_subreaper(struct dn_restore *r, size_t i, bool on, struct dn_error *err)
{
	if (i == NONE) {
		if (prctl(PR_SET_CHILD_SUBREAPER, on) < 0)
			return dn_error_set(err, -errno, "cannot become the parent of orphans");
		return 0;
	}
	return remote1(r->seeds[i], "become the parent of orphans", err, SYS_prctl, PR_SET_CHILD_SUBREAPER, on);
}

static int remember(struct family *f, size_t i, struct dn_process *seed)
{
	f->r->seeds[i] = seed;
	seed->parent = f->parent[i] == NONE ? NULL : f->r->seeds[f->parent[i]];
	return 0;
}

/* Child i is made by a helper, itself a child of creator (NULL: of dunlin), in the creator's session or,
 * if new_session is set, in one that the helper (which then has that pid) makes. */
static int create_by_helper(struct family *f, size_t i, struct dn_process *creator, pid_t new_session,
			    struct dn_error *err)
{
	const Dn__Process *m = f->p[i].process;
	struct dn_process *helper = NULL, *seed = NULL;

	int r = creator ? dn_seed_clone(f->r, creator->threads[0], new_session, 0, &helper, err)
			: dn_seed_new(f->r, new_session, &helper, err);
	if (r < 0)
		return r;
	if (new_session)
		r = remote1(helper, "make a session", err, SYS_setsid, 0, 0);
	if (r == 0 && !creator)
		r = dn_seed_empty(f->r, helper, err);
	if (r == 0)
		r = dn_seed_clone(f->r, helper->threads[0], (pid_t)m->pid, (int)m->exit_signal, &seed, err);
	if (r == 0) {
		remember(f, i, seed);
		r = dn_seed_end(helper, 0, ~0ULL, creator, err);
	} else {
		dn_seed_kill(helper);
	}
	dn_process_free(helper);
	return r;
}

/* Somebody who is in session sid now and has `parent` above it; NONE: nobody. */
static size_t member_of_session(struct family *f, pid_t sid, size_t parent)
{
	for (size_t i = 0; i < f->n; i++) {
		if (!f->r->seeds[i] || session(f, i) != sid)
			continue;
		if ((pid_t)f->p[i].process->pid == sid && !f->leads_now[i])
			continue;
		for (size_t a = f->parent[i];; a = f->parent[a]) {
			if (a == parent)
				return i;
			if (a == NONE)
				break;
		}
	}
	return NONE;
}

static int create_orphan(struct family *f, size_t i, struct dn_error *err)
{
	size_t parent = f->parent[i];
	pid_t sid = session(f, i);

	int r = set_subreaper(f->r, parent, true, err);
	if (r < 0)
		return r;
	size_t member = member_of_session(f, sid, parent);
	if (member != NONE)
		r = create_by_helper(f, i, f->r->seeds[member], 0, err);
	else if (sid && index_of(f, (uint32_t)sid) == NONE)
		r = create_by_helper(f, i, parent == NONE ? NULL : f->r->seeds[parent], sid, err);
	else
		r = dn_error_say(err, -EINVAL, "cannot bring process %u into session %d", f->p[i].process->pid, sid);
	int r2 = set_subreaper(f->r, parent, false, r < 0 ? NULL : err);
	return r < 0 ? r : r2;
}

/* Where the child's session comes from. */
enum origin { BEFORE_SETSID, AFTER_SETSID, ORPHAN };

static enum origin origin_of(const struct family *f, size_t i)
{
	size_t q = f->parent[i];
	pid_t sid = session(f, i), own = (pid_t)f->p[i].process->pid;

	if (q == NONE)
		return sid == 0 || sid == own ? AFTER_SETSID : ORPHAN;
	if (sid == own || sid == session(f, q))
		return AFTER_SETSID;
	if (session(f, q) == (pid_t)f->p[q].process->pid && sid == f->birth[q])
		return BEFORE_SETSID;
	return ORPHAN;
}

/* A child is that of a thread: the one whose end it is told by its parent death signal.  If it is not the first, the
 * threads of the parent are made before its children. */
static int creating_thread(struct family *f, size_t i, struct dn_thread **ret, struct dn_error *err)
{
	const Dn__Process *m = f->p[i].process;
	struct dn_process *parent = f->r->seeds[f->parent[i]];

	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): parents were created first */
	*ret = parent->threads[0];
	if (!m->parent_thread)
		return 0;
	int r = dn_seed_threads(f->r, parent, &f->p[f->parent[i]], err);
	for (size_t k = 0; k < parent->thread_count && r == 0; k++)
		if (parent->threads[k]->tid == (pid_t)m->parent_thread)
			*ret = parent->threads[k];
	return r;
}

static int create_one(struct family *f, size_t i, struct dn_error *err)
{
	const Dn__Process *m = f->p[i].process;
	size_t q = f->parent[i];
	struct dn_process *seed;
	struct dn_thread *creator;
	int r;

	if (origin_of(f, i) == ORPHAN) {
		f->birth[i] = session(f, i);
		r = create_orphan(f, i, err);
	} else if (q == NONE) {
		f->birth[i] = 0;
		r = dn_seed_new(f->r, (pid_t)m->pid, &seed, err);
		if (r == 0)
			r = remember(f, i, seed);
	} else {
		f->birth[i] = f->leads_now[q] ? session(f, q) : f->birth[q];
		r = creating_thread(f, i, &creator, err);
		if (r == 0)
			r = dn_seed_clone(f->r, creator, (pid_t)m->pid, (int)m->exit_signal, &seed, err);
		if (r == 0)
			r = remember(f, i, seed);
	}
	if (r < 0 || m->state == DN__PROCESS__STATE__ZOMBIE)
		return r;
	if (q == NONE)
		r = dn_seed_empty(f->r, f->r->seeds[i], err);
	if (r == 0)
		r = dn_memory_map(f->r, i, err);
	return r < 0 ? r : dn_memory_fill_common(f->r, i, err);
}

static int lead_session(struct family *f, size_t i, struct dn_error *err)
{
	bool detached_root = f->parent[i] == NONE && f->r->options->detach && session(f, i) == 0;

	if (session(f, i) != (pid_t)f->p[i].process->pid && !detached_root)
		return 0;
	f->leads_now[i] = !detached_root;
	int r = remote1(f->r->seeds[i], "make a session", err, SYS_setsid, 0, 0);
	return r < 0 || detached_root ? r : dn_files_lead_session(f->r, f->r->seeds[i], err);
}

/* Children of i of one origin, each with all that is below it. */
static int create_below(struct family *f, size_t i, struct dn_error *err);

static int create_children(struct family *f, size_t i, enum origin origin, struct dn_error *err)
{
	int r = 0;

	for (size_t c = i + 1; c < f->n && r == 0; c++) {
		if (f->parent[c] != i || origin_of(f, c) != origin)
			continue;
		r = create_one(f, c, err);
		if (r == 0)
			r = create_below(f, c, err);
	}
	return r;
}

static int create_below(struct family *f, size_t i, struct dn_error *err)
{
	int r = create_children(f, i, BEFORE_SETSID, err);

	if (r == 0)
		r = lead_session(f, i, err);
	if (r == 0)
		r = create_children(f, i, AFTER_SETSID, err);
	return r == 0 ? create_children(f, i, ORPHAN, err) : r;
}

/* ---- groups ---- */

static int join_group(struct family *f, size_t i, pid_t group, struct dn_error *err)
{
	return remote1(f->r->seeds[i], "join a process group", err, SYS_setpgid, 0, (uint64_t)group);
}

/* All of one group whose leader is gone: a helper makes it, all join, the helper ends. */
static int revive_group(struct family *f, size_t first, bool *done, struct dn_error *err)
{
	pid_t group = (pid_t)f->p[first].process->pgid;
	struct dn_process *maker = f->r->seeds[first], *helper;

	int r = dn_seed_clone(f->r, maker->threads[0], group, 0, &helper, err);
	if (r < 0)
		return r;
	r = remote1(helper, "make a process group", err, SYS_setpgid, 0, 0);
	for (size_t i = first; i < f->n && r == 0; i++) {
		if ((pid_t)f->p[i].process->pgid != group || f->p[i].process->pgid_outside)
			continue;
		r = join_group(f, i, group, err);
		done[i] = true;
	}
	if (r == 0)
		r = dn_seed_end(helper, 0, ~0ULL, maker, err);
	else
		dn_seed_kill(helper);
	dn_process_free(helper);
	return r;
}

static int form_groups(struct family *f, struct dn_error *err)
{
	pid_t own_group = f->r->options->detach ? f->r->seeds[0]->pid : getpgrp();
	_cleanup_free_ bool *done = calloc(f->n, sizeof(*done));
	int r = done ? 0 : dn_error_set(err, -ENOMEM, "cannot form process groups");

	/* Leaders first.  A session leader leads its group already. */
	for (size_t i = 0; i < f->n && r == 0; i++) {
		const Dn__Process *m = f->p[i].process;
		if (m->pgid != m->pid)
			continue;
		done[i] = true;
		if (session(f, i) != (pid_t)m->pid && !(i == 0 && f->r->options->detach && session(f, i) == 0))
			r = join_group(f, i, 0, err);
	}
	for (size_t i = 0; i < f->n && r == 0; i++) {
		const Dn__Process *m = f->p[i].process;
		if (done[i])
			continue;
		if (m->pgid_outside)
			r = session(f, i) == 0 && !(i == 0 && f->r->options->detach) ? join_group(f, i, own_group, err)
										     : 0;
		else if ((pid_t)m->pgid == session(f, i) || index_of(f, m->pgid) != NONE)
			r = join_group(f, i, (pid_t)m->pgid, err);
		else
			r = revive_group(f, i, done, err);
	}
	return r;
}

/* ---- */

static int prepare(struct family *f, struct dn_error *err)
{
	f->parent = calloc(f->n, sizeof(*f->parent));
	f->birth = calloc(f->n, sizeof(*f->birth));
	f->leads_now = calloc(f->n, sizeof(*f->leads_now));
	f->r->seeds = calloc(f->n, sizeof(*f->r->seeds));
	if (!f->parent || !f->birth || !f->leads_now || !f->r->seeds)
		return dn_error_set(err, -ENOMEM, "cannot plan %zu processes", f->n);
	f->r->seed_count = f->n;
	for (size_t i = 0; i < f->n; i++)
		f->parent[i] = f->p[i].process->ppid ? index_of(f, f->p[i].process->ppid) : NONE;
	return 0;
}

int dn_family_create(struct dn_restore *r, struct dn_error *err)
{
	struct family f = { .r = r };

	f.p = dn_image_processes(r->image, &f.n);
	int k = prepare(&f, err);
	if (k == 0)
		k = create_one(&f, 0, err);
	if (k == 0)
		k = create_below(&f, 0, err);
	if (k == 0)
		k = form_groups(&f, err);
	free(f.parent);
	free(f.birth);
	free(f.leads_now);
	return k;
}

int dn_family_stop(struct dn_restore *r, struct dn_error *err)
{
	size_t n;
	struct dn_image_process *p = dn_image_processes(r->image, &n);
	int k = 0;

	for (size_t i = 0; i < n && k == 0; i++) {
		const Dn__Process *m = p[i].process;
		if (m->state != DN__PROCESS__STATE__STOPPED)
			continue;
		struct dn_process *parent = r->seeds[i]->parent;
		/* SIGSTOP always works; which signal it was shows only to a parent that has not asked yet. */
		k = dn_seed_stop(r->seeds[i], m->stop_unreported ? (int)m->stop_signal : SIGSTOP, err);
		if (k == 0 && parent && !m->stop_unreported)
			k = dn_remote_call(parent->threads[0]->remote, "take note of a stopped child", NULL, err,
					   SYS_waitid, (const uint64_t[6]){ P_PID, m->pid, 0, WSTOPPED | WNOHANG });
	}
	return k;
}

int dn_family_bury(struct dn_restore *r, struct dn_error *err)
{
	size_t n;
	struct dn_image_process *p = dn_image_processes(r->image, &n);
	int k = 0;

	for (size_t i = 0; i < n && k == 0; i++) {
		const Dn__Process *m = p[i].process;
		if (m->state != DN__PROCESS__STATE__ZOMBIE)
			continue;
		struct dn_batch b;
		char name[16] = "";
		strncpy(name, m->comm ? m->comm : "", sizeof(name) - 1);
		dn_batch_begin(&b, r->seeds[i]->threads[0]->remote);
		dn_batch_call(&b, "take its name", SYS_prctl, PR_SET_NAME, dn_batch_put(&b, name, sizeof(name)));
		dn_zombie_restore(&b, m);
		k = dn_batch_run(&b, err);
		k = k < 0 ? k : dn_seed_end(r->seeds[i], (int)m->exit_code, m->zombie_mask, NULL, err);
		r->seeds[i]->zombie = true;
	}
	return k;
}
