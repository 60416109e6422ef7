/* SPDX-License-Identifier: BSD-3-Clause */
/* sched_policy.c - scheduling policies and priorities of threads, reset-on-fork */
#include <stdatomic.h>

#include "victim.h"

#ifndef SCHED_DEADLINE
#define SCHED_DEADLINE 6
#endif

struct attr {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

static struct attr wanted[] = {
	{ .policy = SCHED_BATCH, .nice = 7 },
	{ .policy = SCHED_IDLE },
	{ .policy = SCHED_OTHER, .flags = 1 /* reset on fork */, .nice = 2 },
	{ .policy = SCHED_FIFO, .priority = 17 },
	{ .policy = SCHED_RR, .flags = 1, .priority = 42 },
	{ .policy = SCHED_DEADLINE, .runtime = 1000000, .deadline = 20000000, .period = 50000000 },
};

static atomic_int here;

static void *thread(void *arg)
{
	struct attr *w = arg, now;
	bool possible;

	w->size = sizeof(*w);
	/* Real-time policies need a privilege and a cgroup that grants them time. */
	possible = syscall(SYS_sched_setattr, 0, w, 0) == 0;
	if (!possible && w->policy != SCHED_FIFO && w->policy != SCHED_RR && w->policy != SCHED_DEADLINE)
		check(false, "policy %u: %s", w->policy, strerror(errno));
	here++;
	victim_wait();
	if (!possible)
		return NULL;
	must(syscall(SYS_sched_getattr, 0, &now, sizeof(now), 0));
	check(now.policy == w->policy, "policy: expected %u, got %u", w->policy, now.policy);
	check(now.flags == w->flags, "policy %u: flags: expected %lx, got %lx", w->policy, w->flags, now.flags);
	check(now.priority == w->priority, "policy %u: priority: got %u", w->policy, now.priority);
	check(now.nice == w->nice, "policy %u: nice: expected %d, got %d", w->policy, w->nice, now.nice);
	if (w->policy == SCHED_DEADLINE)
		check(now.runtime == w->runtime && now.deadline == w->deadline && now.period == w->period,
		      "deadline: got %lu %lu %lu", now.runtime, now.deadline, now.period);
	return NULL;
}

int main(void)
{
	pthread_t threads[COUNT(wanted)];

	for (size_t i = 0; i < COUNT(wanted); i++)
		must0(pthread_create(&threads[i], NULL, thread, &wanted[i]));
	while (here < (int)COUNT(wanted))
		victim_sleep_ms(1);
	victim_ready();
	victim_wait();
	check(sched_getscheduler(0) == SCHED_OTHER, "policy of the main thread: %d", sched_getscheduler(0));
	for (size_t i = 0; i < COUNT(wanted); i++)
		must0(pthread_join(threads[i], NULL));
	return victim_end();
}
