/* SPDX-License-Identifier: BSD-3-Clause */
/* tasks.c - the table of task attributes, and running it */
#include "resource/tasks.h"

#include <errno.h>

#include "base/util.h"
#include "resource/message.h"
#include "tracee/arena.h"

/* Within a stage and scope, drivers run in this order.  It matters in the last stage: timers need empty
 * signal queues, and limits may forbid what is pending already. */
const struct dn_task_driver *const dn_task_drivers[] = {
	/* EARLY */
	&dn_task_huge_pages,
	/* STATE */
	&dn_task_folders,
	&dn_task_unshared,
	&dn_task_unsupported_process,
	&dn_task_unsupported_thread,
	&dn_task_sandbox,
	&dn_task_sandbox_doubt,
	&dn_task_undo,
	&dn_task_process,
	&dn_task_thread,
	&dn_task_scheduling,
	&dn_task_switches,
	&dn_task_merging,
	&dn_task_signal_actions,
	/* IDENTITY */
	&dn_task_credentials,
	/* LAST */
	&dn_task_stray_signals,
	&dn_task_posix_timers,
	&dn_task_shared_pending,
	&dn_task_interval_timers,
	&dn_task_pending,
	&dn_task_expired,
	&dn_task_shared_expired,
	&dn_task_thread_expired,
	&dn_task_death_signal,
	&dn_task_limits,
	&dn_task_memory_rights,
	NULL,
};

#define DRIVERS DN_ARRAY_LEN(dn_task_drivers)
#define AT_ONCE 64   /* threads that work at the same time */
#define CALLS_EACH 8 /* what a driver may queue without asking */
#define DATA_EACH 512

/* ---- shared by drivers ---- */

int dn_task_memo(struct dn_task_memo **memo, struct dn_error *err)
{
	if (!*memo)
		*memo = calloc(1, sizeof(**memo));
	return *memo ? 0 : dn_error_set(err, -ENOMEM, "cannot keep track of task attributes");
}

static void memo_free(struct dn_task_memo **memo)
{
	if (*memo && (*memo)->own)
		dn__credentials__free_unpacked((*memo)->own, NULL);
	if (*memo) {
		dn_text_finish(&(*memo)->status);
		dn_task_end_double(*memo);
		free((*memo)->sem_users);
	}
	free(*memo);
	*memo = NULL;
}

void dn_task_capture_finish(struct dn_capture *c)
{
	memo_free(&c->tasks);
}

void dn_task_restore_finish(struct dn_restore *r)
{
	memo_free(&r->tasks);
}

int dn_task_status(struct dn_capture *c, struct dn_thread *t, const struct dn_text **ret, struct dn_error *err)
{
	int r = dn_task_memo(&c->tasks, err);

	if (r == 0 && c->tasks->status_of != t->tid) {
		c->tasks->status_of = 0;
		r = dn_read_text(&c->tasks->status, err, "/proc/%d/task/%d/status", t->process->pid, t->tid);
		if (r == 0)
			c->tasks->status_of = t->tid;
	}
	if (r == 0)
		*ret = &c->tasks->status;
	return r < 0 ? r : 0;
}

bool dn_task_say_once(struct dn_task_memo *memo, unsigned int what)
{
	uint64_t bit = 1ull << what;
	bool first = !(memo->said & bit);

	memo->said |= bit;
	return first;
}

size_t dn_task_slot_data(const struct dn_thread *t)
{
	return t == t->process->threads[0] ? DN_LEADER_SLOT_DATA : DN_THREAD_SLOT_DATA;
}

int dn_task_room(struct dn_thread *t, struct dn_batch *b, size_t calls, size_t bytes, struct dn_error *err)
{
	if (dn_batch_room(b) >= calls && DN_ALIGN_UP(b->data_used, 16) + bytes <= dn_task_slot_data(t))
		return 0;
	int r = dn_batch_run(b, err);
	dn_batch_begin(b, t->remote);
	return r;
}

int dn_task_call_now(struct dn_batch *b, const char *what, long *ret_result, struct dn_error *err, long nr,
		     const uint64_t args[6])
{
	size_t i = dn_batch_queue(b, what, true, nr, args);
	int r = dn_batch_run(b, err);

	if (r < 0)
		return r;
	*ret_result = dn_batch_result(b, i);
	dn_batch_begin(b, b->remote);
	return 0;
}

int dn_task_no_memory(const struct dn_thread *t, struct dn_error *err)
{
	return dn_error_set(err, -ENOMEM, "cannot describe thread %d of process %d", t->tid, t->process->pid);
}

/* ---- running the table ---- */

int dn_task_look(struct dn_capture *c, struct dn_thread *t, enum dn_task_scope scope, Dn__Process *process,
		 Dn__Thread *thread, struct dn_error *err)
{
	for (const struct dn_task_driver *const *d = dn_task_drivers; *d; d++) {
		if ((*d)->scope != scope || !(*d)->look)
			continue;
		int r = (*d)->look(c, t, process, thread, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* A batch for one thread, and where in it each driver's questions are. */
struct round {
	struct dn_batch b;
	struct {
		size_t first;
		void *local;
	} asked[DRIVERS];
	int posted;
};

static int ask(struct round *q, struct dn_thread *t, enum dn_task_scope scope, struct dn_error *err)
{
	int r = 0;

	dn_batch_begin(&q->b, t->remote);
	for (size_t i = 0; r == 0 && dn_task_drivers[i]; i++) {
		const struct dn_task_driver *d = dn_task_drivers[i];
		if (d->scope != scope || !d->ask)
			continue;
		q->asked[i].first = q->b.calls;
		dn_batch_alloc(&q->b, 0, &q->asked[i].local); /* where the driver's first data will be */
		r = d->ask(t, &q->b, err);
	}
	return r;
}

static int take(struct dn_capture *c, struct round *q, struct dn_thread *t, enum dn_task_scope scope,
		Dn__Process *process, Dn__Thread *thread, struct dn_error *err)
{
	int r = 0;

	/* First those whose answers are in the slot, then those that use it anew. */
	for (int own_batches = 0; own_batches < 2; own_batches++) {
		for (size_t i = 0; r == 0 && dn_task_drivers[i]; i++) {
			const struct dn_task_driver *d = dn_task_drivers[i];
			if (d->scope == scope && d->take && (d->ask == NULL) == own_batches)
				r = d->take(c, t, &q->b, q->asked[i].first, q->asked[i].local, process, thread, err);
		}
	}
	return r;
}

static int post(struct round *q, struct dn_error *err)
{
	if (q->b.calls == 0 && !q->b.overflow)
		return 0;
	int r = dn_batch_post(&q->b, err);
	q->posted = r == 0;
	return r;
}

/* Also after a failure, so that no thread is left at work. */
static int wait_for(struct round *q, int failed, struct dn_error *err)
{
	int r = q->posted ? dn_batch_wait(&q->b, failed ? NULL : err) : 0;

	return failed ? failed : r;
}

int dn_task_capture(struct dn_capture *c, struct dn_process *p, Dn__Process *process, struct dn_error *err)
{
	struct dn_thread *t = p->threads[0];
	struct round q = {};
	int r = dn_task_memo(&c->tasks, err);

	if (r == 0)
		r = ask(&q, t, DN_SCOPE_PROCESS, err);
	if (r == 0)
		r = dn_batch_run(&q.b, err);
	return r < 0 ? r : take(c, &q, t, DN_SCOPE_PROCESS, process, NULL, err);
}

int dn_task_capture_threads(struct dn_capture *c, struct dn_process *p, Dn__Process *process, Dn__Thread **threads,
			    struct dn_error *err)
{
	_cleanup_free_ struct round *rounds = calloc(DN_MIN(p->thread_count, (size_t)AT_ONCE), sizeof(*rounds));
	int r = rounds ? dn_task_memo(&c->tasks, err) : dn_task_no_memory(p->threads[0], err);

	for (size_t first = 0; r == 0 && first < p->thread_count; first += AT_ONCE) {
		size_t n = DN_MIN(p->thread_count - first, (size_t)AT_ONCE);
		for (size_t i = 0; i < n; i++) {
			rounds[i].posted = 0;
			if (r == 0)
				r = ask(&rounds[i], p->threads[first + i], DN_SCOPE_THREAD, err);
			if (r == 0)
				r = post(&rounds[i], err);
		}
		for (size_t i = 0; i < n; i++) {
			r = wait_for(&rounds[i], r, err);
			if (r == 0)
				r = take(c, &rounds[i], p->threads[first + i], DN_SCOPE_THREAD, process,
					 threads[first + i], err);
		}
	}
	return r;
}

/* Queues what a thread has to do; all but the end of it has run already when it is much. */
static int give(struct dn_restore *r, struct dn_batch *b, struct dn_thread *t, enum dn_task_scope scope,
		enum dn_restore_stage stage, const Dn__Process *process, const Dn__Thread *thread, struct dn_error *err)
{
	int k = 0;

	dn_batch_begin(b, t->remote);
	for (const struct dn_task_driver *const *d = dn_task_drivers; *d && k == 0; d++) {
		if ((*d)->scope != scope || (*d)->stage != stage || !(*d)->restore)
			continue;
		k = dn_task_room(t, b, CALLS_EACH, DATA_EACH, err);
		if (k == 0)
			k = (*d)->restore(r, t, b, process, thread, err);
	}
	return k;
}

int dn_task_restore(struct dn_restore *r, struct dn_process *p, enum dn_restore_stage stage, const Dn__Process *process,
		    struct dn_error *err)
{
	struct dn_batch b;
	int k = dn_task_memo(&r->tasks, err);

	if (k == 0)
		k = give(r, &b, p->threads[0], DN_SCOPE_PROCESS, stage, process, NULL, err);
	return k < 0 ? k : dn_batch_run(&b, err);
}

int dn_task_restore_threads(struct dn_restore *r, struct dn_process *p, enum dn_restore_stage stage,
			    const Dn__Process *process, Dn__Thread *const *threads, struct dn_error *err)
{
	_cleanup_free_ struct round *rounds = calloc(DN_MIN(p->thread_count, (size_t)AT_ONCE), sizeof(*rounds));
	int k = rounds ? dn_task_memo(&r->tasks, err) : dn_task_no_memory(p->threads[0], err);

	for (size_t first = 0; k == 0 && first < p->thread_count; first += AT_ONCE) {
		size_t n = DN_MIN(p->thread_count - first, (size_t)AT_ONCE);
		for (size_t i = 0; i < n; i++) {
			rounds[i].posted = 0;
			if (k == 0)
				k = give(r, &rounds[i].b, p->threads[first + i], DN_SCOPE_THREAD, stage, process,
					 threads[first + i], err);
			if (k == 0)
				k = post(&rounds[i], err);
		}
		for (size_t i = 0; i < n; i++)
			k = wait_for(&rounds[i], k, err);
	}
	return k;
}
