/* SPDX-License-Identifier: BSD-3-Clause */
/* workers.c - the same work on several threads, the caller's being one of them */
#include "memory/workers.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include "base/util.h"

#define WORKERS_MAX 64u
/* Making a thread and warming its buffer takes as long as copying a few MiB. */
#define BYTES_PER_WORKER (8u << 20)

struct dn_workers {
	int (*work)(struct dn_worker *w, struct dn_error *err);
	_Atomic bool stop;
};

struct thread {
	struct dn_worker worker;
	struct dn_error err;
	int result;
	pthread_t id;
};

bool dn_workers_stopped(const struct dn_worker *w)
{
	return atomic_load_explicit(&w->all->stop, memory_order_relaxed);
}

unsigned int dn_workers_count(unsigned int wanted, uint64_t bytes)
{
	cpu_set_t set;

	if (!wanted) {
		wanted = sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned int)CPU_COUNT(&set) : 1;
		wanted = DN_MIN(wanted, 4u);
	}
	uint64_t worth = bytes / BYTES_PER_WORKER;
	return (unsigned int)DN_MAX(1u, DN_MIN(DN_MIN((uint64_t)wanted, worth), (uint64_t)WORKERS_MAX));
}

static void *run(void *arg)
{
	struct thread *t = arg;

	t->result = t->worker.all->work(&t->worker, &t->err);
	if (t->result < 0)
		atomic_store(&t->worker.all->stop, true);
	return NULL;
}

/* Signals are for the caller's threads. */
static int start(struct thread *t)
{
	sigset_t all, old;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int code = pthread_create(&t->id, NULL, run, t);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -code;
}

int dn_workers_run(unsigned int count, int (*work)(struct dn_worker *w, struct dn_error *err), void *arg,
		   struct dn_error *err)
{
	struct dn_workers all = { .work = work };
	struct dn_worker mine = { .arg = arg, .all = &all };
	_cleanup_free_ struct thread *threads = count > 1 ? calloc(count - 1, sizeof(*threads)) : NULL;
	unsigned int started = 0;

	while (threads && started < count - 1) {
		struct thread *t = &threads[started];
		t->worker = (struct dn_worker){ .index = started + 1, .arg = arg, .all = &all };
		if (start(t) < 0)
			break;
		started++;
	}
	int r = work(&mine, err);
	if (r < 0)
		atomic_store(&all.stop, true);
	for (unsigned int i = 0; i < started; i++) {
		pthread_join(threads[i].id, NULL);
		if (threads[i].result < 0 && r >= 0) {
			r = threads[i].result;
			if (err)
				*err = threads[i].err;
		}
	}
	return r < 0 ? r : 0;
}
