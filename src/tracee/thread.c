/* SPDX-License-Identifier: BSD-3-Clause */
/* thread.c - stopping, continuing and changing single threads by ptrace */
#include <elf.h>
#include <errno.h>
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#include "base/proc.h"
#include "base/util.h"
#include "tracee/control.h"

#define SPIN_NS 300000u	    /* a stop usually comes within 50 us: yield this long, then sleep */
#define LOOK_NS 20000000u   /* how often to look whether it lives at all */
#define INTERRUPT_MS 10000u /* for threads that serve: they are in our own code */

static int failed(struct dn_thread *t, const char *what, struct dn_error *err)
{
	return dn_error_set(err, -errno, "cannot %s thread %d of process %d", what, t->tid, t->process->pid);
}

int dn_thread_seize(struct dn_thread *t, long options, struct dn_error *err)
{
	if (ptrace(PTRACE_SEIZE, t->tid, NULL, (void *)options) == 0) {
		t->held = true;
		return 0;
	}
	int code = -errno;
	if (code == -ESRCH)
		return code;
	_cleanup_text_ struct dn_text status = {};
	if (dn_read_text(&status, NULL, "/proc/%d/task/%d/status", t->process->pid, t->tid) == 0) {
		const char *tracer = dn_text_field(&status, "TracerPid"), *state = dn_text_field(&status, "State");
		/* Of one that is ending nobody may take hold.  (A leader stays, as a zombie: it is for the
		 * caller to see that the process is one.) */
		if (state && (*state == 'Z' || *state == 'X'))
			return t->tid == t->process->pid
				       ? dn_error_say(err, -EBUSY, "process %d is ending", t->process->pid)
				       : -ESRCH;
		if (tracer && atoi(tracer) > 0)
			return dn_error_refuse(
				err,
				"process %d is being traced by process %d (a debugger, strace, or another "
				"dunlin): end that first",
				t->process->pid, atoi(tracer));
	}
	errno = -code;
	failed(t, "take hold of", err);
	if (code == -EPERM)
		return dn_error_say(err, code,
				    "no permission to trace process %d: it belongs to another user, or has more "
				    "privileges than you; try as root",
				    t->process->pid);
	return code;
}

int dn_thread_request_stop(struct dn_thread *t, struct dn_error *err)
{
	if (ptrace(PTRACE_INTERRUPT, t->tid, NULL, NULL) < 0 && errno != ESRCH)
		return failed(t, "stop", err);
	return 0;
}

/* One wait without blocking.  1: status came; 0: nothing yet; negative: gone. */
static int poll_status(struct dn_thread *t, int *status)
{
	pid_t w = waitpid(t->tid, status, __WALL | WNOHANG);

	if (w < 0 && errno == EINTR)
		return 0;
	if (w < 0)
		return -errno;
	return w == t->tid;
}

/* A leader that was killed reports that only when the process's other threads are gone, which may be waiting for
 * somebody to ask. */
static bool is_dead(const struct dn_thread *t)
{
	struct dn_stat st;

	return dn_stat_read(t->process->pid, t->tid, &st, NULL) < 0 || st.state == 'Z' || st.state == 'X';
}

static int wait_status(struct dn_thread *t, int *status, unsigned int timeout_ms)
{
	uint64_t start = dn_now_ns(), looked = 0;

	for (;;) {
		int r = poll_status(t, status);
		if (r != 0)
			return r;
		uint64_t waited = dn_now_ns() - start;
		if (waited > timeout_ms * 1000000ull)
			return is_dead(t) ? -ESRCH : -ETIMEDOUT;
		if (waited > looked + LOOK_NS) {
			if (is_dead(t))
				return -ESRCH;
			looked = waited;
		}
		if (waited < SPIN_NS)
			sched_yield();
		else
			nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
	}
}

static bool is_group_stop_signal(int sig)
{
	return sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU;
}

int dn_thread_await_stop(struct dn_thread *t, unsigned int timeout_ms, struct dn_error *err)
{
	for (;;) {
		int status;
		int r = wait_status(t, &status, timeout_ms);
		if (r == -ETIMEDOUT) {
			struct dn_stat st = {};
			dn_stat_read(t->process->pid, t->tid, &st, NULL);
			return dn_error_say(
				err, -ETIMEDOUT,
				"thread %d of process %d did not stop within %u ms (it is in state %c: waiting "
				"in the kernel for a device, a frozen cgroup, or a vfork child); try again later",
				t->tid, t->process->pid, timeout_ms, st.state ? st.state : '?');
		}
		if (r < 0 || WIFEXITED(status) || WIFSIGNALED(status)) {
			t->held = false;
			return 0;
		}
		int sig = WSTOPSIG(status), event = status >> 16;
		if (event == PTRACE_EVENT_STOP) {
			if (is_group_stop_signal(sig))
				t->process->stop_signal = sig;
			return 1;
		}
		/* A signal on its way, or a system call stop: on with it, our stop comes next. */
		int deliver = event == 0 && sig != (SIGTRAP | 0x80) ? sig : 0;
		if (ptrace(PTRACE_CONT, t->tid, NULL, (void *)(long)deliver) < 0 && errno != ESRCH)
			return failed(t, "stop", err);
	}
}

int dn_thread_interrupt(struct dn_thread *t, struct dn_error *err)
{
	int r = dn_thread_request_stop(t, err);
	if (r < 0)
		return r;
	r = dn_thread_await_stop(t, INTERRUPT_MS, err);
	if (r == 0)
		return dn_error_say(err, -ESRCH, "thread %d of process %d ended meanwhile", t->tid, t->process->pid);
	return r < 0 ? r : 0;
}

int dn_thread_check_running(struct dn_thread *t, struct dn_error *err)
{
	int status;
	int r = poll_status(t, &status);

	if (r == 0 && !is_dead(t))
		return 0;
	if (r <= 0 || WIFEXITED(status) || WIFSIGNALED(status)) {
		t->held = false;
		return dn_error_say(err, -ESRCH, "thread %d of process %d was killed meanwhile", t->tid,
				    t->process->pid);
	}
	int sig = WSTOPSIG(status), event = status >> 16;
	if (event == PTRACE_EVENT_STOP) {
		/* SIGSTOP cannot be blocked: remember it (the kernel stops the process again when we
		 * let go) and let the thread serve on. */
		if (is_group_stop_signal(sig))
			t->process->stop_signal = sig;
		return dn_thread_continue(t, 0, err);
	}
	if (sig == SIGSEGV || sig == SIGILL || sig == SIGBUS || sig == SIGSYS || sig == SIGTRAP)
		return dn_error_say(err, -EFAULT, "thread %d of process %d got signal %d while serving dunlin", t->tid,
				    t->process->pid, sig);
	return dn_thread_continue(t, event ? 0 : sig, err);
}

int dn_thread_continue(struct dn_thread *t, int sig, struct dn_error *err)
{
	if (ptrace(PTRACE_CONT, t->tid, NULL, (void *)(long)sig) < 0)
		return failed(t, "continue", err);
	return 0;
}

int dn_thread_detach(struct dn_thread *t, int sig, struct dn_error *err)
{
	if (!t->held)
		return 0;
	if (ptrace(PTRACE_DETACH, t->tid, NULL, (void *)(long)sig) < 0 && errno != ESRCH)
		return failed(t, "let go of", err);
	t->held = false;
	return 0;
}

int dn_thread_get_regs(struct dn_thread *t, struct user_regs_struct *regs, struct dn_error *err)
{
	if (ptrace(PTRACE_GETREGS, t->tid, NULL, regs) < 0)
		return failed(t, "read the registers of", err);
	return 0;
}

int dn_thread_set_regs(struct dn_thread *t, const struct user_regs_struct *regs, struct dn_error *err)
{
	if (ptrace(PTRACE_SETREGS, t->tid, NULL, (void *)regs) < 0)
		return failed(t, "set the registers of", err);
	return 0;
}

int dn_thread_get_mask(struct dn_thread *t, uint64_t *mask, struct dn_error *err)
{
	if (ptrace(PTRACE_GETSIGMASK, t->tid, (void *)sizeof(*mask), mask) < 0)
		return failed(t, "read the signal mask of", err);
	return 0;
}

int dn_thread_set_mask(struct dn_thread *t, uint64_t mask, struct dn_error *err)
{
	if (ptrace(PTRACE_SETSIGMASK, t->tid, (void *)sizeof(mask), &mask) < 0)
		return failed(t, "set the signal mask of", err);
	return 0;
}

int dn_thread_get_xsave(struct dn_thread *t, struct dn_error *err)
{
	char buf[DN_XSAVE_MAX] __attribute__((aligned(64)));
	struct iovec io = { buf, sizeof(buf) };

	if (ptrace(PTRACE_GETREGSET, t->tid, (void *)NT_X86_XSTATE, &io) < 0)
		return failed(t, "read the floating point state of", err);
	void *copy = malloc(io.iov_len);
	if (!copy)
		return dn_error_set(err, -ENOMEM, "cannot keep the state of thread %d", t->tid);
	memcpy(copy, buf, io.iov_len);
	free(t->xsave);
	t->xsave = copy;
	t->xsave_size = (uint32_t)io.iov_len;
	return 0;
}

int dn_thread_set_xsave(struct dn_thread *t, const void *data, size_t size, struct dn_error *err)
{
	struct iovec io = { (void *)data, size };

	if (ptrace(PTRACE_SETREGSET, t->tid, (void *)NT_X86_XSTATE, &io) < 0)
		return failed(t, "set the floating point state of", err);
	return 0;
}

int dn_thread_to_syscall_stop(struct dn_thread *t, struct dn_error *err)
{
	if (ptrace(PTRACE_SYSCALL, t->tid, NULL, NULL) < 0)
		return failed(t, "drive", err);
	return 0;
}

int dn_thread_await_syscall_stop(struct dn_thread *t, struct dn_error *err)
{
	for (;;) {
		int status;
		int r = wait_status(t, &status, INTERRUPT_MS);
		if (r < 0 || WIFEXITED(status) || WIFSIGNALED(status)) {
			t->held = r == -ETIMEDOUT;
			return dn_error_say(err, r < 0 ? r : -ESRCH, "thread %d of process %d %s", t->tid,
					    t->process->pid,
					    r == -ETIMEDOUT ? "does not answer" : "was killed meanwhile");
		}
		int sig = WSTOPSIG(status), event = status >> 16;
		if (event == 0 && sig == (SIGTRAP | 0x80))
			return 0;
		if (event == PTRACE_EVENT_STOP && is_group_stop_signal(sig))
			t->process->stop_signal = sig;
		if (event == 0 && sig != SIGSTOP)
			return dn_error_say(err, -EFAULT, "thread %d of process %d got signal %d while serving dunlin",
					    t->tid, t->process->pid, sig);
		/* SIGSTOP cannot be blocked: it takes effect when the thread is let go. */
		if (ptrace(PTRACE_SYSCALL, t->tid, NULL, (void *)(long)(event == 0 ? sig : 0)) < 0)
			return failed(t, "drive", err);
	}
}

int dn_thread_next_syscall_stop(struct dn_thread *t, struct dn_error *err)
{
	int r = dn_thread_to_syscall_stop(t, err);
	return r < 0 ? r : dn_thread_await_syscall_stop(t, err);
}
