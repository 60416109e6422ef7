/* SPDX-License-Identifier: BSD-3-Clause */
/* resume.c - system calls that were interrupted go on as if nothing had been
 *
 * Theory of operation.  A thread that blocks in a system call is thrown out of it by the stop.  What
 * the kernel then does by itself is not enough:
 * - some calls return EINTR after a mere stop (epoll_wait, sigtimedwait, semop: signal(7)): they get the
 *   restart code that the kernel uses for their relatives (-ERESTARTNOHAND: restart unless a handler ran);
 * - those with a relative timeout would start with the whole timeout again, or (nanosleep, poll, futex)
 *   go on through a restart block that lives in the kernel only and cannot be put into an image.
 * So a timed call is made anew with what is left of its timeout: in a register where it is a number, in 16
 * bytes below the red zone where it is a struct timespec.  How long a thread had been asleep is the
 * difference between se.exec_start in /proc/PID/sched (when it last ran), read before the stop, and now.
 * Of a thread that SIGSTOP had stopped in its call that only tells since when it is stopped; and sleeps by
 * a clock of processor time go by another time.  Then the kernel's restart block is left to do it, and an image
 * has the most that can have been left.
 */
#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/util.h"
#include "tracee/control.h"

#define ERESTARTNOHAND 514
#define ERESTART_RESTARTBLOCK 516
#define TIMER_ABSTIME_FLAG 1
#define SCRATCH 64 /* below the red zone, and below what the loop leaves there when it goes home */
#define NS_PER_S 1000000000LL
#define NS_PER_MS 1000000LL
#define SYS_epoll_pwait2_nr 441
#define SYS_io_pgetevents_nr 333

enum unit { NO_TIMEOUT, MILLISECONDS, TIMESPEC };

/* How a call takes its timeout, and whether a stop makes it return EINTR. */
struct timed_call {
	long nr;
	int argument; /* index of the timeout */
	enum unit unit;
	bool eintr;    /* returns EINTR after a mere stop */
	int remainder; /* argument where the kernel has put what is left, -1: none */
};

static const struct timed_call calls[] = {
	{ SYS_nanosleep, 0, TIMESPEC, false, 1 },
	{ SYS_clock_nanosleep, 2, TIMESPEC, false, 3 }, /* relative only */
	{ SYS_poll, 2, MILLISECONDS, false, -1 },
	{ SYS_futex, 3, TIMESPEC, false, -1 }, /* FUTEX_WAIT only: the others take absolute times */
	{ SYS_epoll_wait, 3, MILLISECONDS, true, -1 },
	{ SYS_epoll_pwait, 3, MILLISECONDS, true, -1 },
	{ SYS_epoll_pwait2_nr, 3, TIMESPEC, true, -1 },
	{ SYS_rt_sigtimedwait, 2, TIMESPEC, true, -1 },
	{ SYS_semtimedop, 3, TIMESPEC, true, -1 },
	{ SYS_semop, 0, NO_TIMEOUT, true, -1 },
	{ SYS_io_getevents, 4, TIMESPEC, true, -1 },
	{ SYS_io_pgetevents_nr, 4, TIMESPEC, false, -1 },
	/* The kernel itself writes what is left of these into the program's timeout. */
	{ SYS_ppoll, 0, NO_TIMEOUT, true, -1 },
	{ SYS_pselect6, 0, NO_TIMEOUT, true, -1 },
	{ SYS_select, 0, NO_TIMEOUT, true, -1 },
};

static uint64_t *argument(struct user_regs_struct *regs, int i)
{
	unsigned long long *const at[6] = { &regs->rdi, &regs->rsi, &regs->rdx, &regs->r10, &regs->r8, &regs->r9 };
	return (uint64_t *)at[i];
}

static const struct timed_call *find(long nr)
{
	for (size_t i = 0; i < DN_ARRAY_LEN(calls); i++)
		if (calls[i].nr == nr)
			return &calls[i];
	return NULL;
}

bool dn_syscall_is_timed(long nr)
{
	const struct timed_call *c = find(nr);
	return c && c->unit != NO_TIMEOUT;
}

bool dn_syscall_shows_stop(long nr)
{
	const struct timed_call *c = find(nr);
	return c && c->eintr;
}

/* A call that the kernel restarted already once (after SIGSTOP and SIGCONT, or a dunlin that was killed) goes
 * by the number of restart_syscall.  Which one it was is told by the code in front of the instruction:
 * mov $nr, %eax; syscall, with at most a few instructions between. */
static void unmask_restarted(struct dn_thread *t, struct user_regs_struct *regs)
{
	unsigned char code[32];

	if ((long)regs->orig_rax != SYS_restart_syscall || (long)regs->rax != -ERESTART_RESTARTBLOCK)
		return;
	if (dn_process_read(t->process, regs->rip - sizeof(code), code, sizeof(code), NULL) < 0)
		return;
	for (size_t i = sizeof(code) - 7; i > 0; i--) {
		uint32_t nr;
		memcpy(&nr, code + i + 1, sizeof(nr));
		if (code[i] == 0xb8 &&
		    (nr == SYS_nanosleep || nr == SYS_clock_nanosleep || nr == SYS_poll || nr == SYS_futex)) {
			regs->orig_rax = nr;
			return;
		}
	}
	if (t->restarted_call)
		regs->orig_rax = (unsigned long long)t->restarted_call;
}

/* The timed call that the thread was interrupted in, with a relative timeout; NULL: none. */
static const struct timed_call *relative_call(struct user_regs_struct *regs)
{
	const struct timed_call *c = (long)regs->orig_rax < 0 ? NULL : find((long)regs->orig_rax);
	long result = (long)regs->rax;

	if (!c || (result != -ERESTART_RESTARTBLOCK && result != -ERESTARTNOHAND && result != -EINTR))
		return NULL;
	if (c->nr == SYS_clock_nanosleep && (regs->rsi & TIMER_ABSTIME_FLAG))
		return NULL;
	if (c->nr == SYS_futex && (regs->rsi & FUTEX_CMD_MASK) != FUTEX_WAIT)
		return NULL;
	return c;
}

static int read_timespec(struct dn_thread *t, uint64_t addr, int64_t *ns)
{
	struct timespec ts;

	if (!addr || dn_process_read(t->process, addr, &ts, sizeof(ts), NULL) < 0)
		return -EFAULT;
	if (ts.tv_sec < 0 || ts.tv_nsec < 0 || ts.tv_nsec >= NS_PER_S)
		return -EINVAL;
	*ns = ts.tv_sec > INT64_MAX / NS_PER_S - 1 ? INT64_MAX : ts.tv_sec * NS_PER_S + ts.tv_nsec;
	return 0;
}

/* The clocks of a process, a thread, and those of others (negative numbers). */
static bool sleeps_by_processor_time(const struct timed_call *c, const struct user_regs_struct *regs)
{
	int clock = (int)regs->rdi;

	return c->nr == SYS_clock_nanosleep &&
	       (clock < 0 || clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID);
}

int64_t dn_syscall_remaining(struct dn_thread *t)
{
	struct user_regs_struct copy = t->regs, *regs = &copy;
	int64_t timeout, asleep;

	unmask_restarted(t, regs);
	const struct timed_call *c = relative_call(regs);

	if (!c || c->unit == NO_TIMEOUT)
		return -1;
	if (sleeps_by_processor_time(c, regs))
		t->asleep_ns = -1;
	asleep = DN_MAX(t->asleep_ns, 0);
	/* The kernel stored what was left when it was interrupted: exact, better than our arithmetic. */
	if (c->remainder >= 0 && *argument(regs, c->remainder) &&
	    read_timespec(t, *argument(regs, c->remainder), &timeout) == 0)
		return t->process->stop_signal ? DN_MAX(timeout - asleep, 0) : timeout;
	uint64_t value = *argument(regs, c->argument);
	if (c->unit == MILLISECONDS) {
		if ((int)value < 0)
			return -1;
		timeout = (int64_t)(int)value * NS_PER_MS;
	} else if (read_timespec(t, value, &timeout) < 0) {
		return -1;
	}
	return timeout > asleep ? timeout - asleep : 0;
}

void dn_thread_resume_regs(struct dn_thread *t, int64_t remaining_ns, bool kernel_knows, struct user_regs_struct *ret)
{
	struct user_regs_struct regs = t->regs;

	if (!kernel_knows)
		unmask_restarted(t, &regs);
	const struct timed_call *c = relative_call(&regs);

	if (c && c->unit == MILLISECONDS && remaining_ns >= 0) {
		int64_t ms = (remaining_ns + NS_PER_MS - 1) / NS_PER_MS;
		*argument(&regs, c->argument) = (uint64_t)DN_MIN(ms, (int64_t)INT32_MAX);
	} else if (c && c->unit == TIMESPEC && remaining_ns >= 0) {
		struct timespec ts = { remaining_ns / NS_PER_S, remaining_ns % NS_PER_S };
		uint64_t at = DN_ALIGN_DOWN(regs.rsp - 128 - SCRATCH, 16);
		if (dn_process_write(t->process, at, &ts, sizeof(ts), NULL) < 0) {
			*ret = regs; /* no stack to speak of: leave it to the kernel */
			return;
		}
		*argument(&regs, c->argument) = at;
	}
	/* A call that only the kernel's restart block knew is now complete in its registers. */
	if ((long)regs.orig_rax >= 0 && (long)regs.orig_rax != SYS_restart_syscall &&
	    (long)regs.rax == -ERESTART_RESTARTBLOCK)
		regs.rax = (unsigned long long)-ERESTARTNOHAND;
	*ret = regs;
}

/* Which argument is a moment by a clock that counts from the start of the machine; NULL: none.  *ret_shift: the one
 * of that clock. */
static uint64_t *deadline(struct user_regs_struct *regs, const struct dn_clock_shift *shift, int64_t *ret_shift)
{
	int op = (int)regs->rsi, clock = (int)regs->rdi;

	switch ((long)regs->orig_rax) {
	case SYS_clock_nanosleep:
		if (!(op & TIMER_ABSTIME_FLAG) || (clock != CLOCK_MONOTONIC && clock != CLOCK_BOOTTIME))
			return NULL;
		*ret_shift = clock == CLOCK_BOOTTIME ? shift->boottime_ns : shift->monotonic_ns;
		return argument(regs, 2);
	case SYS_futex:
		if ((op & FUTEX_CMD_MASK) != FUTEX_WAIT_BITSET || op & FUTEX_CLOCK_REALTIME)
			return NULL;
		*ret_shift = shift->monotonic_ns;
		return argument(regs, 3);
	}
	return NULL;
}

void dn_thread_shift_deadline(struct dn_thread *t, const struct dn_clock_shift *shift, struct user_regs_struct *regs)
{
	uint64_t at = DN_ALIGN_DOWN(regs->rsp - 128 - SCRATCH, 16);
	long result = (long)regs->rax;
	int64_t by, moment;

	if (result != -ERESTART_RESTARTBLOCK && result != -ERESTARTNOHAND)
		return;
	uint64_t *where = deadline(regs, shift, &by);
	if (!where || read_timespec(t, *where, &moment) < 0 || moment == INT64_MAX)
		return;
	if (__builtin_add_overflow(moment, by, &moment))
		return;
	moment = DN_MAX(moment, 0);
	struct timespec ts = { moment / NS_PER_S, moment % NS_PER_S };
	if (dn_process_write(t->process, at, &ts, sizeof(ts), NULL) == 0)
		*where = at;
}

void dn_thread_image_regs(struct dn_thread *t, struct user_regs_struct *regs)
{
	*regs = t->regs;
	unmask_restarted(t, regs);
}

/* Calls on sockets return EINTR after a mere stop where the socket has a timeout (SO_RCVTIMEO, SO_SNDTIMEO).  A handler
 * has not run: that would have set a result of its own. */
static bool may_wait_for_socket(long nr)
{
	static const short numbers[] = { SYS_read,    SYS_write,    SYS_readv,	 SYS_writev,  SYS_recvfrom,
					 SYS_recvmsg, SYS_recvmmsg, SYS_sendto,	 SYS_sendmsg, SYS_sendmmsg,
					 SYS_accept,  SYS_accept4,  SYS_connect, SYS_sendfile };

	for (size_t i = 0; i < DN_ARRAY_LEN(numbers); i++)
		if (numbers[i] == nr)
			return true;
	return false;
}

bool dn_syscall_hides_restart(const struct user_regs_struct *regs)
{
	long nr = (long)regs->orig_rax;

	return nr >= 0 && (long)regs->rax == -EINTR && (dn_syscall_shows_stop(nr) || may_wait_for_socket(nr));
}
