/* SPDX-License-Identifier: BSD-3-Clause */
/* signals.c - what is done on signals, and which are pending
 *
 * Theory of operation: actions are asked for one by one, and all are set again, because a seed has
 * dunlin's.  Pending signals are read by ptrace, which copies the queues in order and whole, and put
 * back by the thread itself: a task may send itself any siginfo.  All signals are blocked meanwhile.
 * The masks belong to the engines: they change them to get their work done.
 *
 * A pending signal that a POSIX timer sent is marked in the kernel's queue as that timer's, and its
 * overruns are counted until it is taken.  Where possible it is made pending by the timer itself
 * again (timers.c); otherwise it is queued like the others.
 *
 * A signal that was sent when the queue was full (RLIMIT_SIGPENDING) is pending as a bit alone.  Taken, it
 * looks like one sent by kill() from process 0: that is what is put in its place.
 */
#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include "base/log.h"
#include "base/util.h"
#include "resource/message.h"
#include "resource/tasks.h"
#include "tracee/arena.h"

#define SIGSET_SIZE (DN_SIGNALS / 8)
#define PEEK_CHUNK 32
#define DRAIN_CHUNK 8
#define DRAIN_MAX 4096 /* more stray signals than this are no strays */

/* struct sigaction of the kernel. */
struct dn_sigaction {
	uint64_t handler, flags, restorer, mask;
};

static bool has_action(uint32_t sig)
{
	return sig != SIGKILL && sig != SIGSTOP;
}

/* ---- actions ---- */

static int actions_take(struct dn_capture *c, struct dn_thread *t, const struct dn_batch *unused, size_t first,
			void *local, Dn__Process *process, Dn__Thread *thread, struct dn_error *err)
{
	struct dn_sigaction *actions;
	struct dn_batch b;

	dn_batch_begin(&b, t->remote);
	uint64_t at = dn_batch_alloc(&b, (DN_SIGNALS + 1) * sizeof(*actions), (void **)&actions);
	for (uint32_t sig = 1; sig <= DN_SIGNALS; sig++)
		if (has_action(sig))
			dn_batch_call(&b, "ask for a signal action", SYS_rt_sigaction, sig, 0,
				      at + sig * sizeof(*actions), SIGSET_SIZE);
	int r = dn_batch_run(&b, err);
	for (uint32_t sig = 1; sig <= DN_SIGNALS && r == 0; sig++) {
		const struct dn_sigaction a = actions[sig];
		if (!a.handler && !a.flags && !a.restorer && !a.mask)
			continue;
		Dn__SignalAction *m =
			dn_message_add(&process->actions, &process->n_actions, &dn__signal_action__descriptor);
		if (!m)
			return dn_task_no_memory(t, err);
		m->signal = sig;
		m->handler = a.handler;
		m->flags = a.flags;
		m->restorer = a.restorer;
		m->mask = a.mask;
	}
	return r;
}

static int actions_restore(struct dn_restore *r, struct dn_thread *t, struct dn_batch *b, const Dn__Process *process,
			   const Dn__Thread *thread, struct dn_error *err)
{
	struct dn_sigaction all[DN_SIGNALS + 1] = {};

	for (size_t i = 0; i < process->n_actions; i++) {
		const Dn__SignalAction *a = process->actions[i];
		if (a->signal < 1 || a->signal > DN_SIGNALS || !has_action(a->signal))
			return dn_error_say(err, -EINVAL, "the image is damaged: process %d acts on signal %u",
					    t->process->pid, a->signal);
		all[a->signal] = (struct dn_sigaction){ a->handler, a->flags, a->restorer, a->mask };
	}
	int k = dn_task_room(t, b, DN_SIGNALS, sizeof(all), err);
	if (k < 0)
		return k;
	uint64_t at = dn_batch_put(b, all, sizeof(all));
	for (uint32_t sig = 1; sig <= DN_SIGNALS; sig++)
		if (has_action(sig))
			dn_batch_call(b, "set a signal action", SYS_rt_sigaction, sig, at + sig * sizeof(all[0]), 0,
				      SIGSET_SIZE);
	return 0;
}

const struct dn_task_driver dn_task_signal_actions = {
	.name = "signal actions",
	.scope = DN_SCOPE_PROCESS,
	.take = actions_take,
	.stage = DN_STAGE_STATE,
	.restore = actions_restore,
};

/* ---- pending signals: capture ---- */

static int peek(struct dn_thread *t, uint32_t flags, ProtobufCBinaryData **queue, size_t *n, struct dn_error *err)
{
	siginfo_t infos[PEEK_CHUNK];
	struct __ptrace_peeksiginfo_args args = { .flags = flags, .nr = PEEK_CHUNK };

	for (;;) {
		long got = ptrace(PTRACE_PEEKSIGINFO, t->tid, &args, infos);
		if (got < 0)
			return dn_error_set(err, -errno, "cannot read the pending signals of thread %d", t->tid);
		for (long i = 0; i < got; i++) {
			/* A stop that arrives during a checkpoint stops the program afterwards; what is
			 * restarted from the image runs. */
			if (infos[i].si_signo == SIGKILL || infos[i].si_signo == SIGSTOP)
				continue;
			if (dn_message_add_bytes(queue, n, &infos[i], sizeof(infos[i])) < 0)
				return dn_task_no_memory(t, err);
		}
		args.off += (uint64_t)got;
		if (got < PEEK_CHUNK)
			return 0;
	}
}

/* Pending signals that stand in no queue. */
static int add_unqueued(struct dn_capture *c, struct dn_thread *t, const char *key, ProtobufCBinaryData **queue,
			size_t *n, struct dn_error *err)
{
	const struct dn_text *status;
	int r = dn_task_status(c, t, &status, err);
	const char *field = r < 0 ? NULL : dn_text_field(status, key);

	if (!field)
		return r < 0 ? r
			     : dn_error_say(err, -EINVAL, "cannot find %s in /proc/%d/task/%d/status", key,
					    t->process->pid, t->tid);
	uint64_t missing = strtoull(field, NULL, 16);
	for (size_t i = 0; i < *n; i++)
		missing &= ~(1ull << (((const siginfo_t *)(*queue)[i].data)->si_signo - 1));
	for (uint32_t sig = 1; sig <= DN_SIGNALS; sig++) {
		siginfo_t info = { .si_signo = (int)sig, .si_code = SI_USER };
		if (missing >> (sig - 1) & 1 && has_action(sig) &&
		    dn_message_add_bytes(queue, n, &info, sizeof(info)) < 0)
			return dn_task_no_memory(t, err);
	}
	return 0;
}

static int shared_pending_look(struct dn_capture *c, struct dn_thread *t, Dn__Process *process, Dn__Thread *thread,
			       struct dn_error *err)
{
	int r = peek(t, PTRACE_PEEKSIGINFO_SHARED, &process->pending, &process->n_pending, err);

	return r < 0 ? r : add_unqueued(c, t, "ShdPnd", &process->pending, &process->n_pending, err);
}

static int pending_look(struct dn_capture *c, struct dn_thread *t, Dn__Process *process, Dn__Thread *thread,
			struct dn_error *err)
{
	int r = peek(t, 0, &thread->pending, &thread->n_pending, err);

	return r < 0 ? r : add_unqueued(c, t, "SigPnd", &thread->pending, &thread->n_pending, err);
}

/* ---- pending signals: those of timers that expired since ----
 *
 * Timers run on while the program is held: one may expire after the queues were read, before its time is asked for.
 * Its signal would be neither in the one nor in the other.  So the queues are read again, after the timers. */

/* Is it a timer's, and not listed yet?  A timer has at most one signal in a queue. */
static bool is_news(const siginfo_t *info, const ProtobufCBinaryData *queue, size_t n)
{
	bool itimer = info->si_code == SI_KERNEL &&
		      (info->si_signo == SIGALRM || info->si_signo == SIGVTALRM || info->si_signo == SIGPROF);

	if (!itimer && info->si_code != SI_TIMER)
		return false;
	for (size_t i = 0; i < n; i++) {
		const siginfo_t *old = (const siginfo_t *)queue[i].data;
		if (itimer ? old->si_signo == info->si_signo
			   : old->si_code == SI_TIMER && old->si_timerid == info->si_timerid)
			return false;
	}
	return true;
}

/* A timer without an interval that expired after it was asked for will not do so again. */
static void note_expiry(Dn__Process *process, const siginfo_t *info)
{
	static const int signals[] = { [ITIMER_REAL] = SIGALRM, [ITIMER_VIRTUAL] = SIGVTALRM, [ITIMER_PROF] = SIGPROF };

	for (size_t i = 0; info->si_code == SI_TIMER && i < process->n_timers; i++)
		if (process->timers[i]->id == info->si_timerid && !process->timers[i]->interval_ns)
			process->timers[i]->value_ns = 0;
	for (size_t i = 0; info->si_code == SI_KERNEL && i < DN_ARRAY_LEN(signals) && i < process->n_itimers; i++)
		if (signals[i] == info->si_signo && !process->itimers[i]->interval_ns)
			process->itimers[i]->value_ns = 0;
}

/* Of threads the process's message is written already: what has time left in it will expire after the restart. */
static bool will_expire_again(const Dn__Process *process, const siginfo_t *info)
{
	for (size_t i = 0; info->si_code == SI_TIMER && i < process->n_timers; i++)
		if (process->timers[i]->id == info->si_timerid)
			return process->timers[i]->value_ns && !process->timers[i]->interval_ns;
	return false;
}

static int peek_again(struct dn_thread *t, uint32_t flags, Dn__Process *process, ProtobufCBinaryData **queue, size_t *n,
		      struct dn_error *err)
{
	ProtobufCBinaryData *now = NULL;
	size_t count = 0;
	int r = dn_remote_stop(t->remote, err);

	if (r < 0)
		return r;
	r = peek(t, flags, &now, &count, err);
	int r2 = dn_remote_start(t->remote, r < 0 ? NULL : err);
	for (size_t i = 0; i < count && r == 0; i++) {
		const siginfo_t *info = (const siginfo_t *)now[i].data;
		bool shared = flags & PTRACE_PEEKSIGINFO_SHARED;
		if (!is_news(info, *queue, *n) || (!shared && will_expire_again(process, info)))
			continue;
		if (shared)
			note_expiry(process, info);
		if (dn_message_add_bytes(queue, n, info, sizeof(*info)) < 0)
			r = dn_task_no_memory(t, err);
	}
	for (size_t i = 0; i < count; i++)
		free(now[i].data);
	free(now);
	return r < 0 ? r : r2;
}

static int expired_ask(struct dn_thread *t, struct dn_batch *b, struct dn_error *err)
{
	void *local;
	uint64_t at = dn_batch_alloc(b, SIGSET_SIZE, &local);

	dn_batch_call(b, "ask for pending signals", SYS_rt_sigpending, at, SIGSET_SIZE);
	return 0;
}

static int expired_take(struct dn_capture *c, struct dn_thread *t, const struct dn_batch *b, size_t first, void *local,
			Dn__Process *process, Dn__Thread *thread, struct dn_error *err)
{
	const uint64_t of_itimers = 1ull << (SIGALRM - 1) | 1ull << (SIGVTALRM - 1) | 1ull << (SIGPROF - 1);

	c->tasks->itimer_expired = (*(const uint64_t *)local & of_itimers) != 0;
	return 0;
}

static int shared_expired_take(struct dn_capture *c, struct dn_thread *t, const struct dn_batch *b, size_t first,
			       void *local, Dn__Process *process, Dn__Thread *thread, struct dn_error *err)
{
	if (!c->tasks->itimer_expired && !process->n_timers)
		return 0;
	return peek_again(t, PTRACE_PEEKSIGINFO_SHARED, process, &process->pending, &process->n_pending, err);
}

static int thread_expired_take(struct dn_capture *c, struct dn_thread *t, const struct dn_batch *b, size_t first,
			       void *local, Dn__Process *process, Dn__Thread *thread, struct dn_error *err)
{
	for (size_t i = 0; i < process->n_timers; i++)
		if (process->timers[i]->notify & SIGEV_THREAD_ID && process->timers[i]->thread == t->tid)
			return peek_again(t, 0, process, &thread->pending, &thread->n_pending, err);
	return 0;
}

const struct dn_task_driver dn_task_expired = {
	.name = "expired interval timers",
	.scope = DN_SCOPE_PROCESS,
	.ask = expired_ask,
	.take = expired_take,
};

const struct dn_task_driver dn_task_shared_expired = {
	.name = "signals of expired timers",
	.scope = DN_SCOPE_PROCESS,
	.take = shared_expired_take,
};

const struct dn_task_driver dn_task_thread_expired = {
	.name = "signals of expired timers to a thread",
	.scope = DN_SCOPE_THREAD,
	.take = thread_expired_take,
};

/* ---- pending signals: restore ---- */

/* Takes away what a seed got while the tree was built: SIGCHLD, mostly. */
static int drain(struct dn_thread *t, struct dn_batch *b, struct dn_error *err)
{
	const uint64_t every = ~0ull;
	const struct timespec now = {};

	for (int left = DRAIN_MAX; left > 0; left -= DRAIN_CHUNK) {
		int r = dn_task_room(t, b, DRAIN_CHUNK, 64, err);
		if (r < 0)
			return r;
		uint64_t mask = dn_batch_put(b, &every, sizeof(every)), zero = dn_batch_put(b, &now, sizeof(now));
		size_t last = 0;
		for (int i = 0; i < DRAIN_CHUNK; i++)
			last = dn_batch_try(b, "take a stray signal", SYS_rt_sigtimedwait, mask, 0, zero, SIGSET_SIZE);
		r = dn_batch_run(b, err);
		if (r < 0)
			return r;
		long result = dn_batch_result(b, last);
		dn_batch_begin(b, t->remote);
		if (result == -EAGAIN)
			return 0;
		if (result < 0)
			return dn_error_set(err, (int)result, "cannot take stray signals away from thread %d", t->tid);
	}
	return dn_error_say(err, -EBUSY, "process %d is sent signals without end while it is restarted",
			    t->process->pid);
}

static int check_info(const struct dn_thread *t, const ProtobufCBinaryData *data, siginfo_t *ret, struct dn_error *err)
{
	if (data->len != sizeof(*ret))
		goto damaged;
	memcpy(ret, data->data, sizeof(*ret));
	if (ret->si_signo < 1 || ret->si_signo > DN_SIGNALS || !has_action((uint32_t)ret->si_signo))
		goto damaged;
	return 0;
damaged:
	return dn_error_say(err, -EINVAL, "the image is damaged: thread %d has an impossible pending signal", t->tid);
}

static int queue_signals(struct dn_thread *t, struct dn_batch *b, bool shared, ProtobufCBinaryData *const queue,
			 size_t n, const Dn__Process *process, struct dn_error *err)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		siginfo_t info;
		r = check_info(t, &queue[i], &info, err);
		if (r == 0)
			r = dn_task_room(t, b, 1, sizeof(info), err);
		if (r < 0 || dn_timer_send_again(process, &info, b))
			continue;
		uint64_t at = dn_batch_put(b, &info, sizeof(info));
		if (shared)
			dn_batch_call(b, "queue a pending signal", SYS_rt_sigqueueinfo, (uint64_t)t->tid,
				      (uint64_t)info.si_signo, at);
		else
			dn_batch_call(b, "queue a thread's pending signal", SYS_rt_tgsigqueueinfo,
				      (uint64_t)t->process->pid, (uint64_t)t->tid, (uint64_t)info.si_signo, at);
	}
	return r;
}

static int strays_restore(struct dn_restore *r, struct dn_thread *t, struct dn_batch *b, const Dn__Process *process,
			  const Dn__Thread *thread, struct dn_error *err)
{
	return drain(t, b, err);
}

static int shared_pending_restore(struct dn_restore *r, struct dn_thread *t, struct dn_batch *b,
				  const Dn__Process *process, const Dn__Thread *thread, struct dn_error *err)
{
	return queue_signals(t, b, true, process->pending, process->n_pending, process, err);
}

static int pending_restore(struct dn_restore *r, struct dn_thread *t, struct dn_batch *b, const Dn__Process *process,
			   const Dn__Thread *thread, struct dn_error *err)
{
	return queue_signals(t, b, false, thread->pending, thread->n_pending, process, err);
}

const struct dn_task_driver dn_task_stray_signals = {
	.name = "stray signals",
	.scope = DN_SCOPE_PROCESS,
	.stage = DN_STAGE_LAST,
	.restore = strays_restore,
};

const struct dn_task_driver dn_task_shared_pending = {
	.name = "pending signals of the process",
	.scope = DN_SCOPE_PROCESS,
	.look = shared_pending_look,
	.stage = DN_STAGE_LAST,
	.restore = shared_pending_restore,
};

const struct dn_task_driver dn_task_pending = {
	.name = "pending signals of a thread",
	.scope = DN_SCOPE_THREAD,
	.look = pending_look,
	.stage = DN_STAGE_LAST,
	.restore = pending_restore,
};
