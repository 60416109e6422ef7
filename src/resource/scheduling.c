/* SPDX-License-Identifier: BSD-3-Clause */
/* scheduling.c - policy, priority, processor affinity, NUMA policy, I/O priority, timer slack
 *
 * Theory of operation: seeds inherit dunlin's own scheduling (it may run under nice or taskset), so
 * every value is compared with what the seed has.  The kernel lets dunlin set most of it from outside,
 * with its own privileges, whatever identity the thread will get.
 *
 * A thread that may run on all processors that there are is written down as such (an empty affinity),
 * so that it can use all of another host too.  Otherwise processors that do not exist here are left out.
 */
#include <errno.h>
#include <linux/ioprio.h>
#include <linux/mempolicy.h>
#include <linux/sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "base/log.h"
#include "base/proc.h"
#include "base/util.h"
#include "resource/message.h"
#include "resource/tasks.h"

#define MASK_WORDS (DN_TASK_CPUS / 64)
#define FLAGS_KEPT (SCHED_FLAG_RESET_ON_FORK | SCHED_FLAG_RECLAIM | SCHED_FLAG_DL_OVERRUN)
#define NODES 1024 /* the kernel wants room for all nodes it could have: CONFIG_NODES_SHIFT <= 10 */

/* struct sched_attr in its first version; the header of the kernel collides with that of the C library. */
struct dn_sched_attr {
	uint32_t size, sched_policy;
	uint64_t sched_flags;
	int32_t sched_nice;
	uint32_t sched_priority;
	uint64_t sched_runtime, sched_deadline, sched_period;
};
_Static_assert(sizeof(struct dn_sched_attr) == 48, "the kernel checks the size");

struct numa_answer {
	uint64_t nodes[NODES / 64];
	int32_t mode;
};

static bool policy_is_fair(uint32_t policy)
{
	return policy == SCHED_OTHER || policy == SCHED_BATCH || policy == SCHED_IDLE;
}

/* ---- processors ---- */

/* A list as in /sys: "0-3,8". */
static int parse_list(const char *p, uint64_t *mask)
{
	while (*p && *p != '\n') {
		char *end;
		unsigned long from = strtoul(p, &end, 10), to = from;
		if (end == p)
			return -EINVAL;
		if (*end == '-') {
			p = end + 1;
			to = strtoul(p, &end, 10);
			if (end == p)
				return -EINVAL;
		}
		for (unsigned long i = from; i <= to && i < DN_TASK_CPUS; i++)
			mask[i / 64] |= 1ull << i % 64;
		p = *end == ',' ? end + 1 : end;
	}
	return 0;
}

static int read_online(struct dn_task_memo *memo, struct dn_error *err)
{
	if (memo->have_online)
		return 0;
	_cleanup_text_ struct dn_text t = {};
	int r = dn_read_text(&t, err, "/sys/devices/system/cpu/online");
	if (r < 0)
		return r;
	if (parse_list(t.data, memo->online) < 0)
		return dn_error_say(err, -EINVAL, "cannot understand /sys/devices/system/cpu/online");
	memo->have_online = true;
	return 0;
}

/* Bytes used, or -errno. */
static long get_affinity(pid_t tid, uint64_t mask[MASK_WORDS])
{
	memset(mask, 0, MASK_WORDS * sizeof(*mask));
	long n = syscall(SYS_sched_getaffinity, tid, MASK_WORDS * sizeof(*mask), mask);
	return n < 0 ? -errno : n;
}

static int affinity_capture(struct dn_capture *c, struct dn_thread *t, Dn__Scheduling *s, struct dn_error *err)
{
	uint64_t mask[MASK_WORDS];
	long n = get_affinity(t->tid, mask);

	if (n < 0)
		return dn_error_set(err, (int)n, "cannot get the CPU affinity of thread %d", t->tid);
	int r = read_online(c->tasks, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < MASK_WORDS; i++) {
		if ((mask[i] & c->tasks->online[i]) == c->tasks->online[i])
			continue;
		return dn_message_bytes(&s->affinity, mask, (size_t)n) < 0 ? dn_task_no_memory(t, err) : 0;
	}
	return 0;
}

static int affinity_restore(struct dn_restore *r, struct dn_thread *t, const Dn__Scheduling *s, struct dn_error *err)
{
	uint64_t want[MASK_WORDS] = {}, have[MASK_WORDS];
	long n = get_affinity(t->tid, have);
	int k = n < 0 ? dn_error_set(err, (int)n, "cannot get the CPU affinity of thread %d", t->tid)
		      : read_online(r->tasks, err);

	if (k < 0)
		return k;
	const uint64_t *online = r->tasks->online;
	bool some = false, differs = false, lost = false;
	if (s->affinity.len)
		memcpy(want, s->affinity.data, DN_MIN(s->affinity.len, sizeof(want)));
	else
		memcpy(want, online, sizeof(want));
	for (size_t i = 0; i < MASK_WORDS; i++) {
		lost |= (want[i] & ~online[i]) != 0;
		want[i] &= online[i];
		some |= want[i] != 0;
		differs |= want[i] != (have[i] & online[i]);
	}
	if (some && differs && syscall(SYS_sched_setaffinity, t->tid, sizeof(want), want) < 0) {
		/* EINVAL: a cpuset forbids all of them. */
		if (errno != EINVAL && errno != EPERM)
			return dn_error_set(err, -errno, "cannot set the CPU affinity of thread %d", t->tid);
		some = false;
	}
	if ((!some || lost) && dn_task_say_once(r->tasks, DN_SAID_AFFINITY))
		dn_warn("thread %d of process %d was bound to processors that it %s here: %s", t->tid, t->process->pid,
			some ? "does not all find" : "cannot use",
			some ? "bound to the rest of them" : "it runs on those that dunlin may use");
	return 0;
}

/* ---- policy and priority ---- */

static int get_attr(pid_t tid, struct dn_sched_attr *a, struct dn_error *err)
{
	*a = (struct dn_sched_attr){ .size = sizeof(*a) };
	if (syscall(SYS_sched_getattr, tid, a, sizeof(*a), 0) < 0)
		return dn_error_set(err, -errno, "cannot get the scheduling policy of thread %d", tid);
	return 0;
}

static int policy_capture(struct dn_capture *c, struct dn_thread *t, Dn__Scheduling *s, struct dn_error *err)
{
	struct dn_sched_attr a, own;
	int r = get_attr(t->tid, &a, err);

	if (r == 0 && !c->tasks->own_slice) {
		r = get_attr(0, &own, err);
		c->tasks->own_slice = policy_is_fair(own.sched_policy) ? own.sched_runtime : 0;
	}
	if (r < 0)
		return r;
	s->policy = a.sched_policy;
	s->flags = a.sched_flags & FLAGS_KEPT;
	errno = 0;
	s->nice = getpriority(PRIO_PROCESS, (id_t)t->tid); /* also where the policy makes no use of it */
	if (errno)
		return dn_error_set(err, -errno, "cannot get the nice value of thread %d", t->tid);
	s->priority = a.sched_priority;
	s->runtime = a.sched_runtime;
	s->deadline = a.sched_deadline;
	s->period = a.sched_period;
	/* Since 6.12 the time slice of ordinary threads is told here.  The default depends on the host:
	 * keep only what was asked for. */
	if (policy_is_fair(a.sched_policy) && a.sched_runtime == c->tasks->own_slice)
		s->runtime = 0;
	return 0;
}

/* 0; or a warning for what this user may not do. */
static int refused(struct dn_restore *r, struct dn_thread *t, const Dn__Scheduling *s, struct dn_error *err)
{
	if (errno != EPERM && errno != EACCES && errno != EBUSY)
		return dn_error_set(err, -errno,
				    "cannot give thread %d of process %d scheduling policy %u, nice %d, priority %u",
				    t->tid, t->process->pid, s->policy, s->nice, s->priority);
	if (dn_task_say_once(r->tasks, DN_SAID_NICE))
		dn_warn("thread %d of process %d had scheduling policy %u, nice %d, priority %u, which this user may "
			"not "
			"give it here: it has dunlin's own",
			t->tid, t->process->pid, s->policy, s->nice, s->priority);
	return 0;
}

static int policy_restore(struct dn_restore *r, struct dn_thread *t, const Dn__Scheduling *s, struct dn_error *err)
{
	struct dn_sched_attr have, want = {
		.size = sizeof(want),
		.sched_policy = s->policy,
		.sched_flags = s->flags & FLAGS_KEPT,
		.sched_nice = s->nice,
		.sched_priority = s->priority,
		.sched_runtime = s->runtime,
		.sched_deadline = s->deadline,
		.sched_period = s->period,
	};

	/* Apart from the policy, of which only some take it along. */
	if (getpriority(PRIO_PROCESS, (id_t)t->tid) != s->nice && setpriority(PRIO_PROCESS, (id_t)t->tid, s->nice) < 0)
		return refused(r, t, s, err);
	int k = get_attr(t->tid, &have, err);
	if (k < 0)
		return k;
	/* A slice that was not asked for: the seed's own is as good. */
	bool same_runtime = have.sched_runtime == s->runtime || (policy_is_fair(s->policy) && s->runtime == 0);
	if (have.sched_policy == want.sched_policy && have.sched_flags == want.sched_flags &&
	    have.sched_priority == want.sched_priority && same_runtime && have.sched_deadline == want.sched_deadline &&
	    have.sched_period == want.sched_period)
		return 0;
	return syscall(SYS_sched_setattr, t->tid, &want, 0) < 0 ? refused(r, t, s, err) : 0;
}

/* ---- I/O priority ---- */

static int io_restore(struct dn_restore *r, struct dn_thread *t, const Dn__Scheduling *s, struct dn_error *err)
{
	long have = syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, t->tid);

	if (have == s->io_priority || syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, t->tid, s->io_priority) == 0)
		return 0;
	if (errno != EPERM)
		return dn_error_set(err, -errno, "cannot set the I/O priority of thread %d to %#x", t->tid,
				    (unsigned int)s->io_priority);
	if (dn_task_say_once(r->tasks, DN_SAID_IO_PRIORITY))
		dn_warn("thread %d of process %d had I/O priority %#x, which this user may not give it here", t->tid,
			t->process->pid, (unsigned int)s->io_priority);
	return 0;
}

/* ---- NUMA policy ---- */

static int numa_capture(struct dn_thread *t, const struct numa_answer *a, long result, Dn__Scheduling *s,
			struct dn_error *err)
{
	size_t len = sizeof(a->nodes);

	if (result == -ENOSYS) /* a kernel without NUMA */
		return 0;
	if (result < 0)
		return dn_error_set(err, (int)result, "cannot get the NUMA policy of thread %d", t->tid);
	s->numa_mode = a->mode;
	while (len && ((const uint8_t *)a->nodes)[len - 1] == 0)
		len--;
	return dn_message_bytes(&s->numa_nodes, a->nodes, len) < 0 ? dn_task_no_memory(t, err) : 0;
}

static int numa_restore(struct dn_restore *r, struct dn_thread *t, struct dn_batch *b, const Dn__Scheduling *s,
			struct dn_error *err)
{
	uint64_t nodes[NODES / 64] = {};
	int32_t own = MPOL_DEFAULT;
	long result;

	/* Seeds have dunlin's policy. */
	if (syscall(SYS_get_mempolicy, &own, NULL, 0, NULL, 0) < 0)
		own = MPOL_DEFAULT;
	if (s->numa_mode == MPOL_DEFAULT && own == MPOL_DEFAULT)
		return 0;
	memcpy(nodes, s->numa_nodes.data, DN_MIN(s->numa_nodes.len, sizeof(nodes)));
	uint64_t at = s->numa_nodes.len ? dn_batch_put(b, nodes, sizeof(nodes)) : 0;
	/* The kernel takes one bit less than it is told. */
	int k = dn_task_call_now(b, "set the NUMA policy", &result, err, SYS_set_mempolicy,
				 (uint64_t[6]){ (uint32_t)s->numa_mode, at, at ? NODES + 1 : 0 });
	if (k < 0)
		return k;
	if (result < 0 && dn_task_say_once(r->tasks, DN_SAID_NUMA))
		dn_warn("thread %d of process %d had NUMA policy %#x for memory nodes that it cannot use here (%s): it "
			"has "
			"the default policy now",
			t->tid, t->process->pid, (unsigned int)s->numa_mode, strerror((int)-result));
	return 0;
}

/* ---- the driver ---- */

static int scheduling_ask(struct dn_thread *t, struct dn_batch *b, struct dn_error *err)
{
	void *local;
	uint64_t at = dn_batch_alloc(b, sizeof(struct numa_answer), &local);

	dn_batch_call(b, "ask for the timer slack", SYS_prctl, PR_GET_TIMERSLACK);
	dn_batch_try(b, "ask for the NUMA policy", SYS_get_mempolicy, at + offsetof(struct numa_answer, mode), at,
		     NODES);
	return 0;
}

static int scheduling_take(struct dn_capture *c, struct dn_thread *t, const struct dn_batch *b, size_t first,
			   void *local, Dn__Process *process, Dn__Thread *thread, struct dn_error *err)
{
	Dn__Scheduling *s = thread->scheduling = dn_message_new(&dn__scheduling__descriptor);

	if (!s)
		return dn_task_no_memory(t, err);
	s->timer_slack_ns = (uint64_t)dn_batch_result(b, first);
	long io = syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, t->tid);
	if (io < 0)
		return dn_error_set(err, -errno, "cannot get the I/O priority of thread %d", t->tid);
	s->io_priority = (int32_t)io;
	int r = policy_capture(c, t, s, err);
	if (r == 0)
		r = affinity_capture(c, t, s, err);
	if (r == 0)
		r = numa_capture(t, local, dn_batch_result(b, first + 1), s, err);
	return r;
}

static int scheduling_restore(struct dn_restore *r, struct dn_thread *t, struct dn_batch *b, const Dn__Process *process,
			      const Dn__Thread *thread, struct dn_error *err)
{
	const Dn__Scheduling *s = thread->scheduling;

	if (!s)
		return dn_error_say(err, -EINVAL, "the image is damaged: thread %d has no scheduling", t->tid);
	/* Affinity first: a thread with a deadline cannot change it any more. */
	int k = affinity_restore(r, t, s, err);
	if (k == 0)
		k = policy_restore(r, t, s, err);
	if (k == 0)
		k = io_restore(r, t, s, err);
	if (k == 0)
		k = numa_restore(r, t, b, s, err);
	/* 0 asks for the default, and is what real-time threads have anyway. */
	if (k == 0 && s->timer_slack_ns)
		dn_batch_call(b, "set the timer slack", SYS_prctl, PR_SET_TIMERSLACK, s->timer_slack_ns);
	return k;
}

const struct dn_task_driver dn_task_scheduling = {
	.name = "scheduling",
	.scope = DN_SCOPE_THREAD,
	.ask = scheduling_ask,
	.take = scheduling_take,
	.stage = DN_STAGE_STATE,
	.restore = scheduling_restore,
};
