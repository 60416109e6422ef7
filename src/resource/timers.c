/* SPDX-License-Identifier: BSD-3-Clause */
/* timers.c - interval timers and POSIX timers
 *
 * Theory of operation: timers go on with what remained of their time when the program was held.
 *
 * An overrun count cannot be set; but it is what the kernel computes when the signal of an interval
 * timer is taken: the whole intervals that went by since the timer expired.  So a timer that is set to
 * an absolute time in the past expires at once, and counts as many overruns as that time is intervals
 * ago, while its next expirations come when they would have come.  That is done for
 *   - the count of the last signal taken, timer_getoverrun(): the new signal is taken away at once;
 *   - an interval timer's signal that is pending: it stays, and is tied to its timer as before, so that
 *     overruns go on being counted.  (Those of before the checkpoint are not told by the kernel until
 *     the signal is taken: they start from 0.)
 * Both at once cannot be had; the second wins.  Clocks of processor time have no past in a new process:
 * for them, the pending signal alone is queued.
 */
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#include "base/kernel.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/util.h"
#include "resource/message.h"
#include "resource/tasks.h"

#define SECOND 1000000000ull
#define ITIMERS 3
#define TIMERS_AT_ONCE 128 /* asked for in one batch */
#define IDS_AT_ONCE 128	   /* skipped in one batch */
#define IDS_MAX (1 << 22)  /* skipped at most, ~1 us each */
#define PROCESS_CLOCK (-6) /* CLOCK_PROCESS_CPUTIME_ID, as the kernel writes it down */
#define PER_THREAD 4	   /* a bit of such clocks */
#define THREAD_CLOCK (-2)  /* "of the thread that created the timer" */

/* ---- times ---- */

static uint64_t timespec_ns(const struct timespec *ts)
{
	if (ts->tv_sec < 0 || ts->tv_nsec < 0 || (uint64_t)ts->tv_sec > INT64_MAX / SECOND - 1)
		return INT64_MAX; /* centuries: as good as for ever */
	return (uint64_t)ts->tv_sec * SECOND + (uint64_t)ts->tv_nsec;
}

static struct timespec ns_timespec(uint64_t ns)
{
	return (struct timespec){ .tv_sec = (time_t)(ns / SECOND), .tv_nsec = (long)(ns % SECOND) };
}

static uint64_t timeval_ns(const struct timeval *tv)
{
	return timespec_ns(&(struct timespec){ .tv_sec = tv->tv_sec, .tv_nsec = tv->tv_usec * 1000 });
}

static struct timeval ns_timeval(uint64_t ns)
{
	return (struct timeval){ .tv_sec = (time_t)(ns / SECOND), .tv_usec = (suseconds_t)(ns % SECOND / 1000) };
}

/* ---- interval timers ---- */

static int itimers_ask(struct dn_thread *t, struct dn_batch *b, struct dn_error *err)
{
	void *local;
	uint64_t at = dn_batch_alloc(b, ITIMERS * sizeof(struct itimerval), &local);

	for (uint64_t which = ITIMER_REAL; which < ITIMERS; which++)
		dn_batch_call(b, "ask for an interval timer", SYS_getitimer, which,
			      at + which * sizeof(struct itimerval));
	return 0;
}

static int itimers_take(struct dn_capture *c, struct dn_thread *t, const struct dn_batch *b, size_t first, void *local,
			Dn__Process *process, Dn__Thread *thread, struct dn_error *err)
{
	const struct itimerval *it = local;

	for (int which = 0; which < ITIMERS; which++) {
		Dn__Timeval *m = dn_message_add(&process->itimers, &process->n_itimers, &dn__timeval__descriptor);
		if (!m)
			return dn_task_no_memory(t, err);
		m->value_ns = timeval_ns(&it[which].it_value);
		m->interval_ns = timeval_ns(&it[which].it_interval);
	}
	return 0;
}

/* To timers of processor time the kernel adds a clock tick whenever they are set.  See how much it is. */
static int set_processor_timer(struct dn_thread *t, struct dn_batch *b, uint64_t which, const Dn__Timeval *m,
			       struct dn_error *err)
{
	struct itimerval it = { ns_timeval(m->interval_ns), ns_timeval(m->value_ns) }, *now;

	dn_batch_call(b, "set an interval timer", SYS_setitimer, which, dn_batch_put(b, &it, sizeof(it)));
	uint64_t at = dn_batch_alloc(b, sizeof(*now), (void **)&now);
	dn_batch_call(b, "ask for an interval timer", SYS_getitimer, which, at);
	int r = dn_batch_run(b, err);
	if (r < 0)
		return r;
	uint64_t set = timeval_ns(&now->it_value), added = set > m->value_ns ? set - m->value_ns : 0;
	dn_batch_begin(b, t->remote);
	if (!added || added >= m->value_ns)
		return 0;
	it.it_value = ns_timeval(m->value_ns - added);
	dn_batch_call(b, "set an interval timer", SYS_setitimer, which, dn_batch_put(b, &it, sizeof(it)));
	return 0;
}

static int itimers_restore(struct dn_restore *r, struct dn_thread *t, struct dn_batch *b, const Dn__Process *process,
			   const Dn__Thread *thread, struct dn_error *err)
{
	int k = 0;

	for (size_t which = 0; which < process->n_itimers && which < ITIMERS && k == 0; which++) {
		const Dn__Timeval *m = process->itimers[which];
		struct itimerval it = { ns_timeval(m->interval_ns), ns_timeval(m->value_ns) };
		if (!m->value_ns && !m->interval_ns)
			continue;
		if (which != ITIMER_REAL) {
			k = set_processor_timer(t, b, which, m, err);
			continue;
		}
		/* Expired, and not started again until its SIGALRM is taken: the kernel forgets the
		 * interval of a timer that is set to 0, so let it expire once more.  There is only
		 * one SIGALRM pending at any time. */
		if (!m->value_ns)
			it.it_value.tv_usec = 1;
		dn_batch_call(b, "set an interval timer", SYS_setitimer, which, dn_batch_put(b, &it, sizeof(it)));
	}
	return k;
}

const struct dn_task_driver dn_task_interval_timers = {
	.name = "interval timers",
	.scope = DN_SCOPE_PROCESS,
	.ask = itimers_ask,
	.take = itimers_take,
	.stage = DN_STAGE_LAST,
	.restore = itimers_restore,
};

/* ---- POSIX timers: capture ---- */

/* One of /proc/PID/timers:
 *	ID: 1
 *	signal: 60/00007fff86e452a8
 *	notify: signal/pid.2634		(signal, none or thread; pid or tid)
 *	ClockID: 0
 */
static const char *parse_timer(const char *p, Dn__PosixTimer *m)
{
	char how[8], whom[4];
	unsigned long long sigval;
	int n = 0;

	if (sscanf(p, "ID: %d\nsignal: %d/%llx\nnotify: %7[a-z]/%3[a-z].%d\nClockID: %d\n%n", &m->id, &m->signal,
		   &sigval, how, whom, &m->thread, &m->clock, &n) < 7 ||
	    n == 0)
		return NULL;
	m->sigval = sigval;
	m->notify = strcmp(how, "none") == 0 ? SIGEV_NONE : strcmp(how, "thread") == 0 ? SIGEV_THREAD : SIGEV_SIGNAL;
	if (strcmp(whom, "tid") == 0)
		m->notify |= SIGEV_THREAD_ID;
	else
		m->thread = 0;
	return p + n;
}

static int by_id(const void *a, const void *b)
{
	const Dn__PosixTimer *const *x = a, *const *y = b;

	return ((*x)->id > (*y)->id) - ((*x)->id < (*y)->id);
}

static int ask_times(struct dn_thread *t, Dn__PosixTimer **timers, size_t n, struct dn_error *err)
{
	struct itimerspec *times;
	struct dn_batch b;

	dn_batch_begin(&b, t->remote);
	uint64_t at = dn_batch_alloc(&b, n * sizeof(*times), (void **)&times);
	for (size_t i = 0; i < n; i++) {
		dn_batch_call(&b, "ask for a timer", SYS_timer_gettime, (uint64_t)timers[i]->id,
			      at + i * sizeof(*times));
		dn_batch_call(&b, "ask for the overruns of a timer", SYS_timer_getoverrun, (uint64_t)timers[i]->id);
	}
	int r = dn_batch_run(&b, err);
	for (size_t i = 0; i < n && r == 0; i++) {
		timers[i]->value_ns = timespec_ns(&times[i].it_value);
		timers[i]->interval_ns = timespec_ns(&times[i].it_interval);
		timers[i]->overrun = (uint32_t)dn_batch_result(&b, 2 * i + 1);
	}
	return r;
}

static int timers_take(struct dn_capture *c, struct dn_thread *t, const struct dn_batch *b, size_t first, void *local,
		       Dn__Process *process, Dn__Thread *thread, struct dn_error *err)
{
	_cleanup_text_ struct dn_text text = {};
	int r = dn_read_text(&text, err, "/proc/%d/timers", t->process->pid);

	if (r < 0)
		return r;
	for (const char *p = text.data; *p;) {
		Dn__PosixTimer *m = dn_message_add(&process->timers, &process->n_timers, &dn__posix_timer__descriptor);
		if (!m)
			return dn_task_no_memory(t, err);
		p = parse_timer(p, m);
		if (!p)
			return dn_error_say(err, -EINVAL, "cannot understand /proc/%d/timers", t->process->pid);
	}
	if (process->n_timers)
		qsort(process->timers, process->n_timers, sizeof(*process->timers), by_id);
	for (size_t i = 0; i < process->n_timers && r == 0; i += TIMERS_AT_ONCE)
		r = ask_times(t, process->timers + i, DN_MIN(process->n_timers - i, (size_t)TIMERS_AT_ONCE), err);
	return r;
}

/* ---- POSIX timers: restore ---- */

static bool has_past(const Dn__PosixTimer *m)
{
	switch (m->clock) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_BOOTTIME_ALARM:
	case CLOCK_TAI: return true;
	}
	return false;
}

/* Sets a timer such that it expires now, for the (overruns + 1)th time since its signal was last taken.
 * False if there is no such time. */
static bool queue_expiry(struct dn_batch *b, const Dn__PosixTimer *m, uint64_t overruns)
{
	struct timespec now;
	uint64_t back;

	if (!has_past(m) || !m->value_ns || !m->interval_ns || clock_gettime(m->clock, &now) < 0)
		return false;
	uint64_t next = timespec_ns(&now) + m->value_ns;
	if (__builtin_mul_overflow(overruns + 1, m->interval_ns, &back) || back >= next)
		return false;
	struct itimerspec it = { ns_timespec(m->interval_ns), ns_timespec(next - back) };
	dn_batch_call(b, "set a timer to its last expiry", SYS_timer_settime, (uint64_t)m->id, TIMER_ABSTIME,
		      dn_batch_put(b, &it, sizeof(it)));
	return true;
}

bool dn_timer_send_again(const Dn__Process *process, const siginfo_t *info, struct dn_batch *b)
{
	const Dn__PosixTimer key = { .id = info->si_timerid }, *k = &key;

	if (info->si_code != SI_TIMER || !process->n_timers)
		return false;
	Dn__PosixTimer **m = bsearch(&k, process->timers, process->n_timers, sizeof(*process->timers), by_id);
	return m && (*m)->signal == info->si_signo && queue_expiry(b, *m, 0);
}

static struct dn_thread *find_thread(const struct dn_process *p, pid_t tid)
{
	for (size_t i = 0; i < p->thread_count; i++)
		if (p->threads[i]->tid == tid)
			return p->threads[i];
	return NULL;
}

/* Clocks of processor time are negative numbers with the id of a task in them, 0 for its own process or
 * thread.  One that is gone stands still for ever: its timer keeps its id, and is not started. */
static bool clock_runs(const struct dn_thread *t, int32_t clock)
{
	pid_t task = (pid_t) ~(clock >> 3);

	if (clock >= 0 || task == 0)
		return true;
	return clock & PER_THREAD ? find_thread(t->process, task) != NULL : kill(task, 0) == 0 || errno == EPERM;
}

/* timer_getoverrun() of a timer whose last signal had overruns: expire, and take the signal. */
static int restore_overrun(struct dn_thread *t, struct dn_batch *b, const Dn__PosixTimer *m, struct dn_error *err)
{
	const struct timespec patience = { .tv_sec = 1 };
	const uint64_t mask = 1ull << (m->signal - 1);
	int r = dn_task_room(t, b, 1, 64, err);

	if (r < 0 || !queue_expiry(b, m, m->overrun))
		return r;
	r = dn_batch_run(b, err);
	dn_batch_begin(b, t->remote);
	if (r < 0)
		return r;
	/* The thread that is notified is the one that can take the signal. */
	struct dn_thread *taker = m->notify & SIGEV_THREAD_ID ? find_thread(t->process, m->thread) : t;
	struct dn_batch take;
	dn_batch_begin(&take, taker->remote);
	uint64_t mask_at = dn_batch_put(&take, &mask, sizeof(mask));
	dn_batch_call(&take, "take the signal of a timer", SYS_rt_sigtimedwait, mask_at, 0,
		      dn_batch_put(&take, &patience, sizeof(patience)), sizeof(mask));
	return dn_batch_run(&take, err);
}

static int set_timer(struct dn_thread *t, struct dn_batch *b, const Dn__PosixTimer *m, struct dn_error *err)
{
	struct itimerspec it = { ns_timespec(m->interval_ns), ns_timespec(m->value_ns) };
	bool signals =
		m->notify != SIGEV_NONE && (!(m->notify & SIGEV_THREAD_ID) || find_thread(t->process, m->thread));

	if (!m->value_ns || !clock_runs(t, m->clock)) /* disarmed, and as good as */
		return 0;
	int r = dn_task_room(t, b, 1, sizeof(it), err);
	if (r == 0)
		dn_batch_call(b, "set a timer", SYS_timer_settime, (uint64_t)m->id, 0,
			      dn_batch_put(b, &it, sizeof(it)));
	return r == 0 && m->overrun && signals ? restore_overrun(t, b, m, err) : r;
}

static int check_timer(const struct dn_thread *t, const Dn__PosixTimer *m, const Dn__PosixTimer *previous,
		       struct dn_error *err)
{
	bool to_thread = m->notify & SIGEV_THREAD_ID;
	int how = m->notify & ~SIGEV_THREAD_ID;

	if (m->id < 0 || (previous && previous->id >= m->id) || how < 0 || how > SIGEV_THREAD ||
	    (how != SIGEV_NONE && (m->signal < 1 || m->signal > DN_SIGNALS)) || m->value_ns > INT64_MAX ||
	    m->interval_ns > INT64_MAX || m->overrun > INT32_MAX || (m->interval_ns && !m->value_ns) ||
	    (to_thread && how == SIGEV_NONE))
		return dn_error_say(err, -EINVAL, "the image is damaged: process %d has an impossible timer %d",
				    t->process->pid, m->id);
	return 0;
}

/* Queues timer_create(); *ret_id is where its id will be, preset. */
static void queue_create(struct dn_restore *r, struct dn_thread *t, struct dn_batch *b, const Dn__PosixTimer *m,
			 int32_t **ret_id)
{
	struct sigevent ev = { .sigev_value.sival_ptr = (void *)m->sigval,
			       .sigev_signo = m->signal,
			       .sigev_notify = m->notify };
	int32_t clock = clock_runs(t, m->clock) ? m->clock : PROCESS_CLOCK;

	if (m->notify & SIGEV_THREAD_ID) {
		ev._sigev_un._tid = m->thread;
		/* A thread that is gone is notified no more, but the time can still be read. */
		if (!find_thread(t->process, m->thread))
			ev.sigev_notify = SIGEV_NONE;
	}
	if (clock == THREAD_CLOCK) {
		/* Nobody tells which thread it was; the one that is notified is the best guess. */
		if (ev.sigev_notify & SIGEV_THREAD_ID)
			clock = (int32_t)(~(uint32_t)m->thread << 3 | (THREAD_CLOCK & 7));
		else if (t->process->thread_count > 1 && dn_task_say_once(r->tasks, DN_SAID_TIMER_CLOCK))
			dn_warn("timer %d of process %d measures the processor time of the thread that created it, "
				"which is "
				"not known: it measures that of the first thread now",
				m->id, t->process->pid);
	}
	uint64_t event = dn_batch_put(b, &ev, sizeof(ev));
	uint64_t id = dn_batch_alloc(b, sizeof(**ret_id), (void **)ret_id);
	if (*ret_id)
		**ret_id = m->id;
	dn_batch_call(b, "create a timer", SYS_timer_create, (uint64_t)(int64_t)clock, event, id);
}

/* Kernels before 6.15 count ids up: use up those below. */
static int skip_ids(struct dn_thread *t, struct dn_batch *b, int32_t from, int32_t to, struct dn_error *err)
{
	const struct sigevent none = { .sigev_notify = SIGEV_NONE };
	int32_t *local;

	if (to - from > IDS_MAX)
		return dn_error_say(
			err, -ENOTSUP,
			"process %d has a timer with id %d, which needs a kernel that lets ids be chosen (6.15)",
			t->process->pid, to);
	for (int32_t id = from; id < to;) {
		int r = dn_task_room(t, b, 2 * IDS_AT_ONCE, 128, err);
		if (r < 0)
			return r;
		uint64_t event = dn_batch_put(b, &none, sizeof(none)),
			 at = dn_batch_alloc(b, sizeof(*local), (void **)&local);
		for (int i = 0; i < IDS_AT_ONCE && id < to; i++, id++) {
			dn_batch_call(b, "use up a timer id", SYS_timer_create, CLOCK_MONOTONIC, event, at);
			dn_batch_call(b, "use up a timer id", SYS_timer_delete, (uint64_t)id);
		}
	}
	return 0;
}

static int create_timers(struct dn_restore *r, struct dn_thread *t, struct dn_batch *b, const Dn__Process *process,
			 bool chosen, struct dn_error *err)
{
	for (size_t i = 0; i < process->n_timers; i++) {
		const Dn__PosixTimer *m = process->timers[i], *previous = i ? process->timers[i - 1] : NULL;
		int32_t *id = NULL;
		int k = check_timer(t, m, previous, err);
		if (k == 0 && !chosen)
			k = skip_ids(t, b, previous ? previous->id + 1 : 0, m->id, err);
		if (k == 0)
			k = dn_task_room(t, b, 1, 128, err);
		if (k < 0)
			return k;
		queue_create(r, t, b, m, &id);
		if (!chosen || i == 0) {
			/* Is it as we believe? */
			k = dn_batch_run(b, err);
			if (k == 0 && (!id || *id != m->id))
				k = dn_error_say(err, -EEXIST, "timer %d of process %d got another id", m->id,
						 t->process->pid);
			dn_batch_begin(b, t->remote);
			if (k < 0)
				return k;
		}
	}
	return 0;
}

static int timers_restore(struct dn_restore *r, struct dn_thread *t, struct dn_batch *b, const Dn__Process *process,
			  const Dn__Thread *thread, struct dn_error *err)
{
	long chosen;

	if (!process->n_timers)
		return 0;
	int k = dn_task_call_now(b, "choose timer ids", &chosen, err, SYS_prctl,
				 (uint64_t[6]){ PR_TIMER_CREATE_RESTORE_IDS, PR_TIMER_CREATE_RESTORE_IDS_ON });
	if (k == 0)
		k = create_timers(r, t, b, process, chosen == 0, err);
	if (k == 0)
		k = dn_task_room(t, b, 1, 0, err);
	if (k < 0)
		return k;
	if (chosen == 0)
		dn_batch_call(b, "no longer choose timer ids", SYS_prctl, PR_TIMER_CREATE_RESTORE_IDS,
			      PR_TIMER_CREATE_RESTORE_IDS_OFF);
	for (size_t i = 0; i < process->n_timers && k == 0; i++)
		k = set_timer(t, b, process->timers[i], err);
	return k == 0 ? dn_task_room(t, b, 8, 512, err) : k;
}

const struct dn_task_driver dn_task_posix_timers = {
	.name = "POSIX timers",
	.scope = DN_SCOPE_PROCESS,
	.take = timers_take,
	.stage = DN_STAGE_LAST,
	.restore = timers_restore,
};
