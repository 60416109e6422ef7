/* SPDX-License-Identifier: BSD-3-Clause */
/* seed.c - processes that only wait to become what the image says */
#include "restore/seed.h"

#include <errno.h>
#include <linux/futex.h>
#include <linux/memfd.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "base/proc.h"
#include "base/util.h"
#include "tracee/arena.h"
#include "tracee/control.h"

#define SEED_OPTIONS (PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL)
#define STOP_MS 10000u
#define TOP 0x7ffffffff000ULL /* TASK_SIZE with four-level page tables */
#define HOLE_FIRST 0x10000000000ULL
#define HOLE_MARGIN (16ULL << 20) /* stacks below grow, mappings above want guard gaps */
#define MFD_EXEC_FLAG 0x0010U	  /* Linux 6.3 */

/* ---- the arena ---- */

/* The end of a mapping of the image that overlaps [start, end), 0: none does. */
static uint64_t overlap(const struct dn_image_process *processes, size_t n, uint64_t start, uint64_t end)
{
	for (size_t i = 0; i < n; i++) {
		Dn__Vma **vmas = processes[i].vmas;
		size_t lo = 0, hi = processes[i].vma_count;
		while (lo < hi) { /* sorted: the first that ends behind start */
			size_t mid = lo + (hi - lo) / 2;
			if (vmas[mid]->end <= start)
				lo = mid + 1;
			else
				hi = mid;
		}
		if (lo < processes[i].vma_count && vmas[lo]->start < end)
			return vmas[lo]->end;
	}
	return 0;
}

static int arena_fd(void)
{
	int fd = memfd_create(DN_ARENA_NAME, MFD_CLOEXEC | MFD_EXEC_FLAG);
	return fd >= 0 || errno != EINVAL ? fd : memfd_create(DN_ARENA_NAME, MFD_CLOEXEC);
}

int dn_seed_prepare(struct dn_restore *r, struct dn_error *err)
{
	size_t n, threads = 0;
	const struct dn_image_process *processes = dn_image_processes(r->image, &n);

	for (size_t i = 0; i < n; i++)
		threads += processes[i].thread_count;
	size_t size = dn_arena_size(2 * n + 4, threads); /* helpers of sessions and groups need slots too */
	uint64_t step = size + HOLE_MARGIN;
	int fd = arena_fd();
	if (fd < 0)
		return dn_error_set(err, -errno, "cannot create shared memory");
	for (uint64_t at = HOLE_FIRST; at + size + HOLE_MARGIN < TOP;) {
		uint64_t end = overlap(processes, n, at - HOLE_MARGIN, at + size + HOLE_MARGIN);
		if (end) {
			at = end + HOLE_MARGIN;
			continue;
		}
		int k = dn_arena_new(fd, size, at, &r->arena, err);
		if (k == 0) {
			r->arena_start = at;
			r->arena_end = at + size;
			return 0;
		}
		if (k != -EEXIST) {
			close(fd);
			return k;
		}
		at += step; /* dunlin itself has something there: terabytes of it under a sanitizer */
		step *= 2;
	}
	close(fd);
	return dn_error_say(err, -ENOSPC, "the program leaves no hole of %zu bytes in its address space", size);
}

/* ---- making seeds ---- */

static int adopt(struct dn_restore *r, pid_t pid, struct dn_process **ret, struct dn_error *err)
{
	struct dn_process *p;
	struct dn_thread *t;
	int k = dn_process_new(pid, &p, err);

	if (k < 0)
		return k;
	p->arena = r->arena;
	k = dn_process_add_thread(p, pid, &t, err);
	if (k < 0) {
		dn_process_free(p);
		return k;
	}
	*ret = p;
	return 0;
}

/* A stopped newcomer begins to serve. */
static int begin_serving(struct dn_restore *r, struct dn_thread *t, bool leader, struct dn_error *err)
{
	int k = dn_thread_get_regs(t, &t->regs, err);

	if (k == 0)
		k = dn_remote_new(r->arena, t, leader, false, err);
	return k < 0 ? k : dn_remote_start(t->remote, err);
}

/* Runs in the child, which is a copy of dunlin: raw system calls only. */
static void __attribute__((noreturn)) be_a_seed(pid_t parent, uint32_t *ready)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		syscall(SYS_exit_group, 1);
	if (__rseq_size)
		syscall(SYS_rseq, (char *)__builtin_thread_pointer() + __rseq_offset, 32, RSEQ_FLAG_UNREGISTER,
			RSEQ_SIG);
	stack_t none = { .ss_flags = SS_DISABLE };
	syscall(SYS_sigaltstack, &none, NULL);
	/* Was it ignored by dunlin, zombies would not stay. */
	const uint64_t action[4] = { 0 };
	syscall(SYS_rt_sigaction, SIGCHLD, action, NULL, sizeof(uint64_t));
	__atomic_store_n(ready, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, ready, FUTEX_WAKE, 1, NULL, NULL, 0);
	for (;;)
		syscall(SYS_pause);
}

static int pid_error(pid_t pid, int code, struct dn_error *err)
{
	struct dn_stat st;

	if (code == -EEXIST && dn_stat_read(pid, 0, &st, NULL) == 0)
		return dn_error_say(err, code, "process id %d is taken by another process (%s)", pid, st.comm);
	if (code == -EEXIST)
		return dn_error_say(err, code, "id %d is still in use as a thread, process group or session", pid);
	if (code == -EPERM)
		return dn_error_say(
			err, code,
			"no permission to choose process ids: restart as root, or inside a pid namespace that "
			"you own (unshare --map-current-user --keep-caps --pid --fork --mount-proc)");
	if (code == -EINVAL)
		return dn_error_say(err, code, "process id %d is not possible here: see /proc/sys/kernel/pid_max", pid);
	return dn_error_set(err, code, "cannot create process %d", pid);
}

int dn_seed_new(struct dn_restore *r, pid_t pid, struct dn_process **ret, struct dn_error *err)
{
	struct dn_arena_header *h = (void *)(r->arena->local + DN_ARENA_CODE);
	struct clone_args args = { .exit_signal = SIGCHLD, .set_tid = (uint64_t)&pid, .set_tid_size = pid != 0 };
	sigset_t all, before;
	pid_t self = getpid();

	h->reserved = 0;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	long child = syscall(SYS_clone3, &args, sizeof(args));
	if (child == 0)
		be_a_seed(self, &h->reserved);
	int code = -errno;
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (child < 0)
		return pid_error(pid, code, err);
	struct timespec second = { .tv_sec = 1 };
	while (__atomic_load_n(&h->reserved, __ATOMIC_SEQ_CST) == 0)
		if (syscall(SYS_futex, &h->reserved, FUTEX_WAIT, 0, &second, NULL, 0) < 0 && errno == ETIMEDOUT &&
		    kill((pid_t)child, 0) < 0)
			return dn_error_say(err, -ECHILD, "process %ld ended before it began", child);
	struct dn_process *p;
	int k = adopt(r, (pid_t)child, &p, err);
	if (k < 0) {
		kill((pid_t)child, SIGKILL);
		waitpid((pid_t)child, NULL, __WALL);
		return k;
	}
	k = dn_thread_seize(p->threads[0], SEED_OPTIONS, err);
	if (k == 0)
		k = dn_thread_interrupt(p->threads[0], err);
	if (k == 0)
		k = begin_serving(r, p->threads[0], true, err);
	if (k < 0) {
		dn_seed_kill(p);
		dn_process_free(p);
		return k;
	}
	*ret = p;
	return 0;
}

/* Queues a clone3 whose child is traced from birth, without an event stop of its parent. */
static size_t queue_clone(struct dn_batch *b, uint64_t flags, pid_t tid, int exit_signal)
{
	uint64_t tid_at = dn_batch_put(b, &tid, sizeof(tid));
	struct clone_args args = {
		.flags = flags | CLONE_PTRACE,
		.exit_signal = (uint64_t)exit_signal,
		.set_tid = tid ? tid_at : 0,
		.set_tid_size = tid != 0,
	};
	if (flags & CLONE_VM) { /* never used: the newcomer is stopped before its first instruction */
		args.stack = tid_at & ~15ULL;
		args.stack_size = 16;
	}
	uint64_t at = dn_batch_put(b, &args, sizeof(args));
	return dn_batch_try(b, "clone", SYS_clone3, at, sizeof(args));
}

int dn_seed_clone(struct dn_restore *r, struct dn_thread *creator, pid_t pid, int exit_signal, struct dn_process **ret,
		  struct dn_error *err)
{
	struct dn_batch b;
	struct dn_process *p = NULL;

	dn_batch_begin(&b, creator->remote);
	size_t i = queue_clone(&b, 0, pid, exit_signal);
	int k = dn_batch_run(&b, err);
	if (k < 0)
		return k;
	long child = dn_batch_result(&b, i);
	if (child < 0)
		return pid_error(pid, (int)child, err);
	k = adopt(r, (pid_t)child, &p, err);
	if (k < 0) {
		kill((pid_t)child, SIGKILL);
		return k;
	}
	struct dn_thread *t = p->threads[0];
	t->held = true;
	k = dn_thread_await_stop(t, STOP_MS, err);
	if (k == 0)
		k = dn_error_say(err, -ECHILD, "process %ld ended before it began", child);
	if (k > 0)
		k = begin_serving(r, t, true, err);
	if (k < 0) {
		dn_seed_kill(p);
		dn_process_free(p);
		return k;
	}
	*ret = p;
	return 0;
}

int dn_seed_empty(struct dn_restore *r, struct dn_process *seed, struct dn_error *err)
{
	struct dn_batch b;

	dn_batch_begin(&b, seed->threads[0]->remote);
	dn_batch_call(&b, "empty the address space", SYS_munmap, 0, r->arena_start);
	dn_batch_call(&b, "empty the address space", SYS_munmap, r->arena_end, TOP - r->arena_end);
	return dn_batch_run(&b, err);
}

#define THREADS_AT_ONCE 200 /* their arguments fit the leader's slot */

static int add_threads(struct dn_restore *r, struct dn_process *seed, const struct dn_image_process *image,
		       size_t first, size_t n, struct dn_error *err)
{
	const uint64_t flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
	size_t calls[THREADS_AT_ONCE];
	struct dn_batch b;

	dn_batch_begin(&b, seed->threads[0]->remote);
	for (size_t i = 0; i < n; i++)
		calls[i] = queue_clone(&b, flags, (pid_t)image->threads[first + i]->tid, 0);
	int k = dn_batch_run(&b, err);
	for (size_t i = 0; i < n && k == 0; i++) {
		pid_t tid = (pid_t)image->threads[first + i]->tid;
		long result = dn_batch_result(&b, calls[i]);
		struct dn_thread *t;
		if (result < 0)
			return pid_error(tid, (int)result, err);
		k = dn_process_add_thread(seed, tid, &t, err);
		if (k == 0)
			t->held = true;
	}
	for (size_t i = first; i < first + n && k == 0; i++) {
		k = dn_thread_await_stop(seed->threads[i], STOP_MS, err);
		if (k == 0)
			return dn_error_say(err, -ECHILD, "thread %d ended before it began", seed->threads[i]->tid);
		k = begin_serving(r, seed->threads[i], false, err);
	}
	return k;
}

int dn_seed_threads(struct dn_restore *r, struct dn_process *seed, const struct dn_image_process *image,
		    struct dn_error *err)
{
	int k = 0;

	if (seed->thread_count > 1) /* they were needed earlier */
		return 0;
	for (size_t i = 1; i < image->thread_count && k == 0; i += THREADS_AT_ONCE)
		k = add_threads(r, seed, image, i, DN_MIN(image->thread_count - i, (size_t)THREADS_AT_ONCE), err);
	return k;
}

/* ---- ends ---- */

/* Waits until a traced thread reports its end; other stops are passed over, delivering `deliver`. */
static int await_end(struct dn_thread *t, int deliver)
{
	for (uint64_t start = dn_now_ns(); dn_now_ns() - start < STOP_MS * 1000000ull;) {
		int status;
		pid_t w = waitpid(t->tid, &status, __WALL | WNOHANG);
		if (w < 0)
			return -errno;
		if (w == 0) {
			nanosleep(&(struct timespec){ .tv_nsec = 20000 }, NULL);
			continue;
		}
		if (!WIFSTOPPED(status)) {
			t->held = false;
			return 0;
		}
		int sig = status >> 16 ? 0 : WSTOPSIG(status);
		ptrace(PTRACE_CONT, t->tid, NULL, (void *)(long)(sig == deliver ? sig : 0));
	}
	return -ETIMEDOUT;
}

int dn_seed_stop(struct dn_process *seed, int sig, struct dn_error *err)
{
	struct dn_thread *t = seed->threads[0];
	int k = dn_remote_stop(t->remote, err);

	if (k == 0)
		k = dn_thread_set_mask(t, ~(1ULL << (sig - 1)), err);
	if (k == 0 && syscall(SYS_tgkill, seed->pid, t->tid, sig) < 0)
		k = dn_error_set(err, -errno, "cannot stop process %d", seed->pid);
	if (k == 0)
		k = dn_thread_continue(t, 0, err);
	if (k < 0)
		return k;
	/* First the signal shows up, then, delivered, the group stop; await_stop passes the former on. */
	k = dn_thread_await_stop(t, STOP_MS, err);
	if (k <= 0)
		return k < 0 ? k : dn_error_say(err, -ECHILD, "process %d ended while being built", seed->pid);
	/* Other threads, if there are any yet, stop with it: they serve on. */
	for (size_t i = 1; i < seed->thread_count; i++) {
		k = dn_thread_await_stop(seed->threads[i], STOP_MS, err);
		k = k > 0    ? dn_thread_continue(seed->threads[i], 0, err)
		    : k == 0 ? dn_error_say(err, -ECHILD, "thread %d ended while being built", seed->threads[i]->tid)
			     : k;
		if (k < 0)
			return k;
	}
	return dn_remote_start(t->remote, err);
}

int dn_seed_end(struct dn_process *seed, int status, uint64_t mask, struct dn_process *reaper, struct dn_error *err)
{
	struct dn_thread *t = seed->threads[0];
	struct dn_batch b;
	int sig = WIFSIGNALED(status) ? WTERMSIG(status) : 0;

	dn_batch_begin(&b, t->remote);
	if (sig && sig != SIGKILL) {
		const uint64_t action[4] = { 0 };
		mask &= ~(1ULL << (sig - 1));
		dn_batch_try(&b, NULL, SYS_prctl, PR_SET_DUMPABLE, 0); /* no core dump of a seed */
		dn_batch_try(&b, NULL, SYS_rt_sigaction, (uint64_t)sig, dn_batch_put(&b, action, sizeof(action)), 0, 8);
	}
	dn_batch_try(&b, NULL, SYS_rt_sigprocmask, SIG_SETMASK, dn_batch_put(&b, &mask, sizeof(mask)), 0, 8);
	if (sig)
		dn_batch_call(&b, "end", SYS_tgkill, (uint64_t)seed->pid, (uint64_t)seed->pid, (uint64_t)sig);
	else
		dn_batch_call(&b, "end", SYS_exit_group, (uint64_t)WEXITSTATUS(status));
	int k = dn_batch_post(&b, err);
	if (k == 0) {
		k = await_end(t, sig);
		if (k < 0)
			return dn_error_set(err, k, "process %d does not end", seed->pid);
	}
	if (k == 0 && reaper) {
		struct dn_batch w;
		dn_batch_begin(&w, reaper->threads[0]->remote);
		dn_batch_call(&w, "reap a helper", SYS_wait4, (uint64_t)seed->pid, 0, __WALL);
		k = dn_batch_run(&w, err);
	}
	return k;
}

void dn_seeds_kill(struct dn_process **seeds, size_t n)
{
	int subreaper = 0;

	/* Orphans come to dunlin, not to an init that may take its time with them. */
	prctl(PR_GET_CHILD_SUBREAPER, &subreaper);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (size_t i = 0; i < n; i++)
		if (seeds[i] && !seeds[i]->zombie)
			syscall(SYS_pidfd_send_signal, seeds[i]->pidfd, SIGKILL, NULL, 0);
	for (size_t i = n; i-- > 0;)
		dn_seed_kill(seeds[i]);
	/* In preorder: whose parent is gone is a child of dunlin. */
	for (size_t i = 0; i < n; i++)
		if (seeds[i])
			waitpid(seeds[i]->pid, NULL, __WALL);
	prctl(PR_SET_CHILD_SUBREAPER, subreaper);
}

void dn_seed_kill(struct dn_process *seed)
{
	if (!seed || seed->zombie)
		return;
	syscall(SYS_pidfd_send_signal, seed->pidfd, SIGKILL, NULL, 0);
	for (size_t i = seed->thread_count; i-- > 0;)
		await_end(seed->threads[i], 0);
}
