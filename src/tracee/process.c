/* SPDX-License-Identifier: BSD-3-Clause */
/* process.c - holding a whole process, and its memory from outside */
#include "tracee/tracee.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/pidfd.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "base/proc.h"
#include "base/util.h"
#include "tracee/arena.h"
#include "tracee/around.h"
#include "tracee/control.h"
#include "tracee/sleep.h"

#define ERESTARTNOHAND 514
#define SOON_MS 100u

/* PTRACE_GET_RSEQ_CONFIGURATION, Linux 5.13 */
#define GET_RSEQ_CONFIGURATION 0x420f
struct rseq_configuration {
	uint64_t pointer;
	uint32_t size, signature, flags, pad;
};

struct rseq_section { /* struct rseq_cs, linux/rseq.h */
	uint32_t version, flags;
	uint64_t start_ip, post_commit_offset, abort_ip;
};
#define RSEQ_CS_OFFSET 8 /* of rseq_cs in struct rseq */

int dn_process_new(pid_t pid, struct dn_process **ret, struct dn_error *err)
{
	struct dn_process *p = calloc(1, sizeof(*p));

	if (!p)
		return dn_error_set(err, -ENOMEM, "cannot look at process %d", pid);
	p->pid = pid;
	p->mem_fd = -1;
	p->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (p->pidfd < 0) {
		int code = -errno;
		free(p);
		if (code == -ESRCH || code == -EINVAL)
			return dn_error_say(err, code, "there is no process %d", pid);
		return dn_error_set(err, code, "cannot refer to process %d", pid);
	}
	*ret = p;
	return 0;
}

void dn_process_free(struct dn_process *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->thread_count; i++) {
		dn_remote_free(p->threads[i]->remote);
		free(p->threads[i]->xsave);
		free(p->threads[i]);
	}
	free(p->threads);
	free(p->around);
	if (p->mem_fd >= 0)
		close(p->mem_fd);
	if (p->pidfd >= 0)
		close(p->pidfd);
	free(p);
}

int dn_process_add_thread(struct dn_process *p, pid_t tid, struct dn_thread **ret, struct dn_error *err)
{
	struct dn_thread *t = calloc(1, sizeof(*t));

	if (!t || dn_grow(&p->threads, &p->thread_cap, p->thread_count, sizeof(*p->threads)) < 0) {
		free(t);
		return dn_error_set(err, -ENOMEM, "cannot follow thread %d", tid);
	}
	t->tid = tid;
	t->process = p;
	t->asleep_ns = t->remaining_ns = -1;
	p->threads[p->thread_count++] = t;
	if (ret)
		*ret = t;
	return 0;
}

static struct dn_thread *find_thread(struct dn_process *p, pid_t tid)
{
	/* Directory order is thread order: the newest are asked for last. */
	for (size_t i = p->thread_count; i-- > 0;)
		if (p->threads[i]->tid == tid)
			return p->threads[i];
	return NULL;
}

/* Adds threads that are not known yet; *ret_new counts them. */
static int list_threads(struct dn_process *p, size_t *ret_new, struct dn_error *err)
{
	char path[64];
	size_t known = p->thread_count, next = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", p->pid);
	DIR *dir = opendir(path);
	if (!dir)
		return dn_error_set(err, -errno, "cannot list the threads of process %d", p->pid);
	int r = 0;
	for (struct dirent *e; r == 0 && (e = readdir(dir));) {
		pid_t tid = (pid_t)strtol(e->d_name, NULL, 10);
		if (tid <= 0)
			continue;
		/* The list comes in the order of the threads' birth: a merge, not a search. */
		if (next < known && p->threads[next]->tid == tid) {
			next++;
			continue;
		}
		if (!find_thread(p, tid))
			r = dn_process_add_thread(p, tid, NULL, err);
	}
	closedir(dir);
	*ret_new = p->thread_count - known;
	return r;
}

/* A thread held in a restartable sequence goes to its abort handler, as after a preemption: the kernel
 * forgets the section at the first system call that we make the thread do. */
static void abort_rseq(struct dn_thread *t)
{
	struct rseq_configuration c = {};
	struct rseq_section s;
	uint64_t section;

	if (ptrace(GET_RSEQ_CONFIGURATION, t->tid, (void *)sizeof(c), &c) < 0 || !c.pointer)
		return;
	if (dn_process_read(t->process, c.pointer + RSEQ_CS_OFFSET, &section, sizeof(section), NULL) < 0 || !section)
		return;
	if (dn_process_read(t->process, section, &s, sizeof(s), NULL) < 0 || s.version != 0)
		return;
	if (t->regs.rip - s.start_ip < s.post_commit_offset)
		t->regs.rip = s.abort_ip;
	section = 0;
	dn_process_write(t->process, c.pointer + RSEQ_CS_OFFSET, &section, sizeof(section), NULL);
}

/* The thread has just stopped: a call that says so to the program gets the restart code of its relatives. */
static int hide_stop(struct dn_thread *t, struct dn_error *err)
{
	int r = dn_thread_get_regs(t, &t->regs, err);

	if (r == 0 && dn_syscall_hides_restart(&t->regs)) {
		t->regs.rax = (unsigned long long)-ERESTARTNOHAND;
		r = dn_thread_set_regs(t, &t->regs, err);
	}
	t->held_at = dn_now_ns();
	t->stopped = r == 0;
	return r;
}

int dn_thread_read_state(struct dn_thread *t, struct dn_error *err)
{
	int r = t->stopped ? 0 : hide_stop(t, err);
	if (r == 0)
		r = dn_thread_get_mask(t, &t->sigmask, err);
	if (r == 0)
		r = dn_thread_get_xsave(t, err);
	if (r < 0)
		return r;
	if (t->regs.cs != 0x33)
		return dn_error_refuse(err, "process %d is a 32-bit program: only 64-bit programs can be captured",
				       t->process->pid);
	dn_sleep_settle(t);
	t->remaining_ns = dn_syscall_remaining(t);
	dn_sleep_hide_rest(t);
	uint64_t before = t->regs.rip;
	abort_rseq(t);
	/* At once, so that it is right even if we die in the next moment. */
	return t->regs.rip != before ? dn_thread_set_regs(t, &t->regs, err) : 0;
}

void dn_process_forget_thread(struct dn_process *p, size_t i)
{
	free(p->threads[i]->xsave);
	free(p->threads[i]);
	memmove(&p->threads[i], &p->threads[i + 1], (p->thread_count - i - 1) * sizeof(*p->threads));
	p->thread_count--;
}

int dn_process_look(struct dn_process *p, struct dn_error *err)
{
	size_t found;
	int r = list_threads(p, &found, err);

	if (r == 0)
		dn_sleep_look(p);
	return r;
}

/* Waits for a stop, and hides it at once: should dunlin die in between, the program may see an EINTR.
 * 1; 0: the thread is gone. */
static int await_and_hide(struct dn_thread *t, unsigned int timeout_ms, struct dn_error *err)
{
	if (t->stopped)
		return 1;
	int r = dn_thread_await_stop(t, timeout_ms, err);
	if (r <= 0)
		return r;
	r = hide_stop(t, err);
	return r < 0 ? r : 1;
}

int dn_process_begin_hold(struct dn_process *p, struct dn_error *err)
{
	for (size_t i = 0; i < p->thread_count;) {
		if (p->threads[i]->held) {
			i++;
			continue;
		}
		int r = dn_thread_seize(p->threads[i], PTRACE_O_TRACESYSGOOD, err);
		if (r == -ESRCH) {
			dn_process_forget_thread(p, i);
			continue;
		}
		if (r == 0)
			r = dn_thread_request_stop(p->threads[i], err);
		/* The others can wait until all have been asked. */
		if (r == 0 && p->threads[i]->stop_shows && await_and_hide(p->threads[i], SOON_MS, NULL) == 0) {
			dn_process_forget_thread(p, i);
			continue;
		}
		if (r < 0)
			return r;
		i++;
	}
	return 0;
}

/* All threads that are known stop. */
static int stop_known(struct dn_process *p, unsigned int timeout_ms, struct dn_error *err)
{
	int r = dn_process_begin_hold(p, err);

	for (size_t i = 0; r >= 0 && i < p->thread_count;) {
		r = await_and_hide(p->threads[i], timeout_ms, err);
		if (r == 0)
			dn_process_forget_thread(p, i);
		else
			i++;
	}
	return r < 0 ? r : 0;
}

/* Until no new thread shows up, all threads stop. */
static int stop_all(struct dn_process *p, unsigned int timeout_ms, struct dn_error *err)
{
	size_t fresh = 0;

	do {
		int r = stop_known(p, timeout_ms, err);
		for (size_t i = 0; r == 0 && i < p->thread_count; i++)
			if (!p->threads[i]->xsave)
				r = dn_thread_read_state(p->threads[i], err);
		if (r == 0)
			r = list_threads(p, &fresh, err);
		if (r < 0)
			return r;
	} while (fresh > 0);
	return 0;
}

int dn_process_hold(struct dn_process *p, unsigned int timeout_ms, struct dn_error *err)
{
	int r;

	do {
		r = stop_all(p, timeout_ms, err);
		if (r < 0)
			return r;
		if (p->thread_count == 0)
			return dn_error_say(err, -ESRCH, "process %d ended", p->pid);
		if (p->threads[0]->tid != p->pid)
			return dn_error_refuse(err, "the first thread of process %d has ended while others go on",
					       p->pid);
		r = dn_look_around(p, err);
		if (r == 0)
			r = dn_let_stragglers_home(p, err);
	} while (r > 0);
	return r;
}

/* ---- memory ---- */

int dn_process_mem(struct dn_process *p, struct dn_error *err)
{
	char path[64];

	if (p->mem_fd >= 0)
		return p->mem_fd;
	snprintf(path, sizeof(path), "/proc/%d/mem", p->pid);
	p->mem_fd = open(path, O_RDWR | O_CLOEXEC);
	if (p->mem_fd < 0)
		return dn_error_set(err, -errno, "cannot open the memory of process %d", p->pid);
	return p->mem_fd;
}

int dn_process_read(struct dn_process *p, uint64_t addr, void *buf, size_t len, struct dn_error *err)
{
	struct iovec local = { buf, len }, remote = { (void *)addr, len };

	if (process_vm_readv(p->pid, &local, 1, &remote, 1, 0) == (ssize_t)len)
		return 0;
	int fd = dn_process_mem(p, err);
	if (fd < 0)
		return fd;
	ssize_t n = dn_pread_full(fd, buf, len, (off_t)addr);
	if (n == (ssize_t)len)
		return 0;
	return dn_error_set(err, n < 0 ? (int)n : -EFAULT, "cannot read %zu bytes at %#lx of process %d", len,
			    (unsigned long)addr, p->pid);
}

int dn_process_write(struct dn_process *p, uint64_t addr, const void *buf, size_t len, struct dn_error *err)
{
	struct iovec local = { (void *)buf, len }, remote = { (void *)addr, len };

	if (process_vm_writev(p->pid, &local, 1, &remote, 1, 0) == (ssize_t)len)
		return 0;
	int fd = dn_process_mem(p, err);
	if (fd < 0)
		return fd;
	int r = dn_pwrite_full(fd, buf, len, (off_t)addr);
	if (r < 0)
		return dn_error_set(err, r, "cannot write %zu bytes at %#lx of process %d", len, (unsigned long)addr,
				    p->pid);
	return 0;
}
