/* SPDX-License-Identifier: BSD-3-Clause */
/* sleep.c - how long a thread has been asleep in a timed system call
 *
 * The kernel does not say when a relative timeout ends, but se.exec_start in /proc/PID/sched is the time
 * when a thread ran last, by the task clock of the processor it ran on.  These clocks differ by what each
 * processor has lost to interrupts and to the hypervisor; so dunlin reads its own exec_start on the same
 * processor to translate into CLOCK_MONOTONIC.  Time lost during the sleep makes the estimate too short,
 * never too long: a timeout may end late by that, it does not end early.
 */
#include "tracee/sleep.h"

#include <sched.h>
#include <sys/syscall.h>

#include "base/proc.h"
#include "base/util.h"
#include "tracee/control.h"

#define CPUS_MAX 1024
#define LEARN_TRIES 3
#define LEARNED_NS 3000000u

struct sched_facts {
	double exec_start_ms;
	uint64_t switches; /* voluntary ones: whoever is preempted on its way has not slept */
};

/* CLOCK_MONOTONIC minus task clock, per processor.  Learned anew after a while: in between it may have
 * grown by as much as the time that has passed, which is taken off the estimate. */
struct clocks {
	struct {
		uint64_t learned_ns;
		bool usable;
		double offset_ms;
	} cpu[CPUS_MAX];
	cpu_set_t before;
	bool moved;
};

static int read_sched(pid_t pid, pid_t tid, struct sched_facts *ret)
{
	_cleanup_text_ struct dn_text t = {};

	if (dn_read_text(&t, NULL, "/proc/%d/task/%d/sched", pid, tid) < 0)
		return -1;
	const char *start = strstr(t.data, "se.exec_start"), *switches = strstr(t.data, "\nnr_voluntary_switches");
	if (!start || !(start = strchr(start, ':')) || !switches || !(switches = strchr(switches, ':')))
		return -1;
	ret->exec_start_ms = strtod(start + 1, NULL);
	ret->switches = strtoull(switches + 1, NULL, 10);
	return 0;
}

/* Moves to the processor and reads its task clock by what the scheduler notes of ourselves. */
static void learn_clock(struct clocks *c, int cpu)
{
	struct sched_facts own;
	cpu_set_t one;

	c->cpu[cpu].usable = false;
	c->cpu[cpu].learned_ns = dn_now_ns();
	if (!c->moved && sched_getaffinity(0, sizeof(c->before), &c->before) < 0)
		return;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	if (sched_setaffinity(0, sizeof(one), &one) < 0)
		return;
	c->moved = true;
	for (int i = 0; i < LEARN_TRIES; i++) {
		sched_yield(); /* brings exec_start up to now */
		if (read_sched(getpid(), gettid(), &own) < 0)
			return;
		/* Now is later than exec_start: each try errs to the same, safe side. */
		double offset = (double)dn_now_ns() / 1e6 - own.exec_start_ms;
		if (i == 0 || offset < c->cpu[cpu].offset_ms)
			c->cpu[cpu].offset_ms = offset;
	}
	c->cpu[cpu].usable = true;
}

static bool is_timespec(struct dn_process *p, uint64_t at)
{
	struct timespec ts;

	return dn_process_read(p, at, &ts, sizeof(ts), NULL) == 0 && ts.tv_sec >= 0 && ts.tv_nsec >= 0 &&
	       ts.tv_nsec < 1000000000;
}

/* Which call a thread in restart_syscall is in: /proc only tells the arguments.  There are four that the
 * kernel restarts that way, and they look different. */
static long guess_restarted(struct dn_process *p, const uint64_t args[6])
{
	const uint64_t page = DN_PAGE_SIZE;

	if (args[0] < page) /* a clock, no flags, and how long */
		return args[1] == 0 && is_timespec(p, args[2]) ? SYS_clock_nanosleep : 0;
	if (args[1] >= 128 && args[1] < page && is_timespec(p, args[3])) /* FUTEX_PRIVATE_FLAG */
		return SYS_futex;
	if ((args[1] == 0 || args[1] >= page) && is_timespec(p, args[0]))
		return SYS_nanosleep;
	return args[1] < 1 << 20 ? SYS_poll : 0;
}

/* A stop makes the kernel write what is left to where the program would find it after an interruption: it
 * must not be found when the sleep then goes on to its end. */
static void save_rest(struct dn_thread *t, long nr, const uint64_t args[6])
{
	uint64_t at = nr == SYS_nanosleep ? args[1] : nr == SYS_clock_nanosleep ? args[3] : 0;

	if (at && dn_process_read(t->process, at, t->rest, sizeof(t->rest), NULL) == 0)
		t->rest_at = at;
}

static void look_at_thread(struct dn_thread *t, struct clocks *c)
{
	_cleanup_text_ struct dn_text call = {};
	struct sched_facts it;
	struct dn_stat st;
	pid_t pid = t->process->pid;
	uint64_t args[6] = { 0 };
	long nr;

	if (dn_read_text(&call, NULL, "/proc/%d/task/%d/syscall", pid, t->tid) < 0 || call.data[0] == 'r' ||
	    sscanf(call.data, "%ld %lx %lx %lx %lx %lx %lx", &nr, &args[0], &args[1], &args[2], &args[3], &args[4],
		   &args[5]) < 7)
		return;
	if (nr == SYS_restart_syscall)
		nr = t->restarted_call = guess_restarted(t->process, args);
	t->stop_shows = dn_syscall_shows_stop(nr);
	if (!dn_syscall_is_timed(nr))
		return;
	save_rest(t, nr, args);
	if (dn_stat_read(pid, t->tid, &st, NULL) < 0 || st.processor < 0 || st.processor >= CPUS_MAX)
		return;
	if (dn_now_ns() - c->cpu[st.processor].learned_ns > LEARNED_NS)
		learn_clock(c, st.processor);
	if (!c->cpu[st.processor].usable || read_sched(pid, t->tid, &it) < 0)
		return;
	double age_ms = (double)(dn_now_ns() - c->cpu[st.processor].learned_ns) / 1e6;
	double since = it.exec_start_ms + c->cpu[st.processor].offset_ms + age_ms;
	t->asleep_since = since > 0 ? (uint64_t)(since * 1e6) : 0;
	t->asleep_switches = it.switches;
}

void dn_sleep_look(struct dn_process *p)
{
	static __thread struct clocks c;

	for (size_t i = 0; i < p->thread_count; i++)
		look_at_thread(p->threads[i], &c);
	if (c.moved)
		sched_setaffinity(0, sizeof(c.before), &c.before);
	c.moved = false;
}

void dn_sleep_settle(struct dn_thread *t)
{
	struct sched_facts it;

	t->asleep_ns = -1;
	if (!t->asleep_since || t->asleep_since > t->held_at)
		return;
	/* The stop itself is one switch; more, and it has begun another sleep since. */
	if (read_sched(t->process->pid, t->tid, &it) == 0 && it.switches == t->asleep_switches + 1)
		t->asleep_ns = (int64_t)(t->held_at - t->asleep_since);
}

void dn_sleep_hide_rest(struct dn_thread *t)
{
	struct user_regs_struct *regs = &t->regs;
	bool same = (long)regs->orig_rax == SYS_nanosleep	  ? regs->rsi == t->rest_at
		    : (long)regs->orig_rax == SYS_clock_nanosleep ? regs->r10 == t->rest_at
								  : (long)regs->orig_rax == SYS_restart_syscall;
	if (t->rest_at && same && (long)regs->rax < 0)
		dn_process_write(t->process, t->rest_at, t->rest, sizeof(t->rest), NULL);
}
