/* SPDX-License-Identifier: BSD-3-Clause */
/* attach.c - how the arena gets into a program that knows nothing of it, and out again
 *
 * Theory of operation.  The first system calls have to be made with instructions that are in the program
 * already: a `syscall; ret` pair somewhere in its code.  dunlin may be killed in the middle of that, and
 * the kernel then simply lets the thread run on.  So the thread is given a stack on which the `ret` leads
 * to a sigreturn trampoline (also found in the program's code) and a signal frame that holds its true
 * state: whatever happens, it falls back into place.  sigreturn forgets the restart block, so a thread
 * without one is preferred; for a sleeper the frame holds the call rewritten by resume.c.
 * Frames are put below the stack pointer of a thread that runs on the process's main stack, where such
 * frames are always put; never below small stacks that a runtime has cut out of its heap.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "base/log.h"
#include "base/proc.h"
#include "base/util.h"
#include "tracee/arena.h"
#include "tracee/around.h"
#include "tracee/control.h"
#include "tracee/room.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U /* Linux 6.3 */
#endif

#define FRAME_MAX (DN_XSAVE_MAX + 2048)
#define STOP_MS 10000
#define SOON_MS 1000
#define ERESTART_RESTARTBLOCK 516

/* ---- one call at a gadget ---- */

struct bootstrap {
	struct dn_process *process;
	struct dn_thread *thread;
	struct dn_surroundings *around;
	uint64_t sp; /* for the gadget: the frame */
	uint64_t name;
	size_t written;				/* there */
	bool wipe;				/* to be zeroes again afterwards */
	bool borrowed;				/* the thread's registers are not its own */
	enum { IDLE, TO_ENTRY, TO_EXIT } phase; /* of a call that is under way */
	long nr, result;
	int fd; /* the arena's memfd in the process, -1: none */
	struct dn_room room;
};

static bool on_stack(const struct dn_thread *t, const struct dn_surroundings *s)
{
	return t->regs.rsp >= s->stack_start && t->regs.rsp < s->stack_end;
}

/* The safest thread to start with: on the main stack, not in a restart block. */
static struct dn_thread *choose(struct dn_process *p, const struct dn_surroundings *s)
{
	struct dn_thread *best = p->threads[0];
	int best_score = -1;

	for (size_t i = 0; i < p->thread_count && i < 64; i++) {
		struct dn_thread *t = p->threads[i];
		int score = 2 * ((long)t->regs.rax != -ERESTART_RESTARTBLOCK) + on_stack(t, s);
		if (score > best_score) {
			best_score = score;
			best = t;
		}
	}
	return best;
}

static bool all_zero(struct dn_process *p, uint64_t at, size_t size)
{
	static const char zero[FRAME_MAX];
	_cleanup_free_ char *there = size <= sizeof(zero) ? malloc(size) : NULL;

	return there && dn_process_read(p, at, there, size, NULL) == 0 && memcmp(there, zero, size) == 0;
}

/* Where the frame goes: below the red zone on the main stack, else at the far end of the main stack, unless
 * that is in use.  Who has switched stacks may have left the main one at any depth: then the far end must be
 * untouched, or the stack is enlarged; it is wiped afterwards, for the next time.  It may come to lie below the stack:
 * writing through /proc/PID/mem makes the kernel enlarge it, as the next signal would. */
static uint64_t frame_place(struct bootstrap *b, size_t size)
{
	const struct dn_surroundings *s = b->around;
	const struct dn_thread *leader = b->process->threads[0];
	uint64_t far = s->stack_start + 64 - 8, end = s->stack_start + 64 + size;

	b->wipe = false;
	if (on_stack(b->thread, s) || !s->stack_start)
		return DN_ALIGN_DOWN(b->thread->regs.rsp - 128 - size, 64) - 8;
	if (on_stack(leader, s))
		return leader->regs.rsp < end + DN_PAGE_SIZE
			       ? DN_ALIGN_DOWN(leader->regs.rsp - DN_PAGE_SIZE - size, 64) - 8
			       : far;
	b->wipe = true;
	return all_zero(b->process, far, size) ? far : DN_ALIGN_DOWN(s->stack_start - size, 64) - 8;
}

static int prepare_frame(struct bootstrap *b, struct dn_error *err)
{
	struct dn_thread *t = b->thread;
	struct user_regs_struct regs;
	_cleanup_free_ char *frame = malloc(FRAME_MAX + 64);

	if (!frame)
		return dn_error_set(err, -ENOMEM, "cannot prepare process %d", t->process->pid);
	dn_thread_resume_regs(t, t->remaining_ns, false, &regs);
	uint64_t at = frame_place(b, t->xsave_size + FRAME_MAX - DN_XSAVE_MAX);
	size_t size = 0;
	if (b->around->sigreturn_at)
		size = dn_arch_signal_frame(frame, FRAME_MAX, at, &regs, t->sigmask, t->xsave, t->xsave_size,
					    b->around->sigreturn_at);
	if (!size)
		dn_debug("process %d has no way back by itself if dunlin is killed in the next moment",
			 t->process->pid);
	size = DN_ALIGN_UP(size ? size : 8, 8);
	strcpy(frame + size, DN_ARENA_NAME);
	b->sp = at;
	b->name = at + size;
	b->written = size + sizeof(DN_ARENA_NAME);
	return dn_process_write(t->process, at, frame, b->written, err);
}

/* A call in three steps, so that many processes can be at it at the same time: on its way, at the entry
 * stop, and at the exit stop, where it leaves the thread. */
static int gadget_begin(struct bootstrap *b, long nr, const uint64_t args[6], struct dn_error *err)
{
	struct user_regs_struct regs = b->thread->regs;

	dn_arch_set_syscall(&regs, b->around->syscall_at, b->sp, nr, args);
	int r = dn_thread_set_regs(b->thread, &regs, err);
	if (r < 0)
		return r;
	b->borrowed = true;
	b->nr = nr;
	b->result = -EINPROGRESS;
	/* Only now: from here on the frame is what puts the mask right. */
	r = dn_thread_set_mask(b->thread, ~0ULL, err);
	if (r == 0)
		r = dn_thread_to_syscall_stop(b->thread, err);
	b->phase = r == 0 ? TO_ENTRY : IDLE;
	return r;
}

static int gadget_middle(struct bootstrap *b, struct dn_error *err)
{
	int r = dn_thread_await_syscall_stop(b->thread, err);

	if (r == 0)
		r = dn_thread_to_syscall_stop(b->thread, err);
	b->phase = r == 0 ? TO_EXIT : IDLE;
	return r;
}

static int gadget_end(struct bootstrap *b, const char *what, struct dn_error *err)
{
	struct user_regs_struct regs;

	b->phase = IDLE;
	int r = dn_thread_await_syscall_stop(b->thread, err);
	if (r != 0)
		return r;
	r = dn_thread_get_regs(b->thread, &regs, err);
	if (r != 0)
		return r;
	b->result = (long)regs.rax;
	if (b->result < 0 && b->result >= -4095)
		return dn_error_set(err, (int)b->result, "cannot %s in process %d", what, b->process->pid);
	return 0;
}

static int gadget_call(struct bootstrap *b, const char *what, long *ret, struct dn_error *err, long nr,
		       const uint64_t args[6])
{
	int r = gadget_begin(b, nr, args, err);

	if (r == 0)
		r = gadget_middle(b, err);
	if (r == 0)
		r = gadget_end(b, what, err);
	*ret = b->result;
	return r;
}

#define GADGET(b, what, ret, err, nr, ...) gadget_call(b, what, ret, err, nr, (const uint64_t[6]){ __VA_ARGS__ })

/* The same call, with arguments of its own, in many processes at once. */
struct step {
	const char *what;
	long nr;
	void (*arguments)(const struct bootstrap *b, uint64_t args[6]);
};

static int take_step(struct bootstrap *b, size_t n, const struct step *step, struct dn_error *err)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		uint64_t args[6] = { 0 };
		step->arguments(&b[i], args);
		r = gadget_begin(&b[i], step->nr, args, err);
	}
	for (size_t i = 0; i < n && r == 0; i++)
		r = gadget_middle(&b[i], err);
	for (size_t i = 0; i < n && r == 0; i++)
		r = gadget_end(&b[i], step->what, err);
	return r;
}

/* The thread is itself again, stopped. */
static int settle(struct bootstrap *b, struct dn_error *err)
{
	int r = 0, r2 = 0;

	if (b->borrowed) {
		r = dn_thread_set_mask(b->thread, b->thread->sigmask, err);
		r2 = dn_thread_set_regs(b->thread, &b->thread->regs, err);
	}
	b->borrowed = false;
	_cleanup_free_ char *zeroes = b->wipe && r2 == 0 ? calloc(1, b->written + 1) : NULL;
	if (zeroes)
		dn_process_write(b->process, b->sp, zeroes, b->written, NULL);
	b->wipe = false;
	return r < 0 ? r : r2;
}

/* ---- the steps ---- */

static unsigned int memfd_flags(void)
{
	static unsigned int flags;

	if (!flags) {
		int fd = memfd_create(DN_ARENA_NAME, MFD_CLOEXEC | MFD_EXEC);
		flags = fd < 0 ? MFD_CLOEXEC : MFD_CLOEXEC | MFD_EXEC;
		if (fd >= 0)
			close(fd);
	}
	return flags;
}

static void create_arguments(const struct bootstrap *b, uint64_t args[6])
{
	args[0] = b->name;
	args[1] = memfd_flags();
}

/* Never writable and executable at once: code in the first page, the rest, mapped over it, is data. */
static void map_code_arguments(const struct bootstrap *b, uint64_t args[6])
{
	const uint64_t a[6] = {
		0, b->process->arena->size, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_POPULATE, (uint64_t)b->fd, 0
	};
	memcpy(args, a, sizeof(a));
}

static void map_data_arguments(const struct bootstrap *b, uint64_t args[6])
{
	const uint64_t a[6] = { b->process->arena->remote + DN_ARENA_CODE,
				b->process->arena->size - DN_ARENA_CODE,
				PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_FIXED | MAP_POPULATE,
				(uint64_t)b->fd,
				DN_ARENA_CODE };
	memcpy(args, a, sizeof(a));
}

static void unmap_arguments(const struct bootstrap *b, uint64_t args[6])
{
	args[0] = b->process->arena->remote;
	args[1] = b->process->arena->size;
}

static int take_arena(struct bootstrap *b, struct dn_error *err)
{
	struct dn_process *p = b->process;

	b->fd = (int)b->result;
	int local = pidfd_getfd(p->pidfd, b->fd, 0);
	if (local < 0)
		return dn_error_set(err, -errno, "cannot get at the shared memory of process %d", p->pid);
	int r = dn_arena_new(local, dn_arena_size(1, p->thread_count - 1), 0, &p->arena, err);
	if (r < 0)
		close(local);
	return r;
}

static int create_arenas(struct bootstrap *b, size_t n, struct dn_error *err)
{
	static const struct step create = { "create shared memory", SYS_memfd_create, create_arguments };
	static const struct step map_code = { "map dunlin's memory", SYS_mmap, map_code_arguments };
	static const struct step map_data = { "map dunlin's memory", SYS_mmap, map_data_arguments };

	int r = take_step(b, n, &create, err);
	for (size_t i = 0; i < n && r == 0; i++)
		r = take_arena(&b[i], err);
	if (r == 0)
		r = take_step(b, n, &map_code, err);
	for (size_t i = 0; i < n && r == 0; i++)
		b[i].process->arena->remote = (uint64_t)b[i].result;
	return r < 0 ? r : take_step(b, n, &map_data, err);
}

/* ---- what a dunlin that was killed has left ---- */

/* Called with a thread that can make system calls. */
static int clear_leftovers(struct bootstrap *b, struct dn_error *err)
{
	struct dn_process *p = b->process;
	char path[64], link[64];
	long none;

	for (size_t i = 0; i < b->around->left_count; i++)
		GADGET(b, "unmap", &none, NULL, SYS_munmap, b->around->left[i].start,
		       b->around->left[i].end - b->around->left[i].start);
	snprintf(path, sizeof(path), "/proc/%d/fd", p->pid);
	DIR *dir = opendir(path);
	if (!dir)
		return dn_error_set(err, -errno, "cannot list the descriptors of process %d", p->pid);
	for (struct dirent *e; (e = readdir(dir));) {
		ssize_t n = readlinkat(dirfd(dir), e->d_name, link, sizeof(link) - 1);
		if (n <= 0)
			continue;
		link[n] = '\0';
		if (dn_is_arena_name(link))
			GADGET(b, "close", &none, NULL, SYS_close, strtoul(e->d_name, NULL, 10));
	}
	closedir(dir);
	return 0;
}

/* ---- in and out ---- */

static int prepare(struct bootstrap *b, struct dn_error *err)
{
	b->around = b->process->around;
	b->thread = choose(b->process, b->around);
	/* The frame may enlarge the stack, by some pages more than itself. */
	dn_room_make(b->process, dn_arena_size(1, b->process->thread_count - 1) + 2 * FRAME_MAX, &b->room);
	int r = prepare_frame(b, err);
	return r < 0 ? r : clear_leftovers(b, err);
}

/* After a failure: calls under way are brought to their end (at an entry stop registers cannot be put
 * back), and what they made is noted for the release, or closed. */
static void clean_up(struct bootstrap *b, size_t n)
{
	long none;

	for (size_t i = 0; i < n; i++) {
		struct dn_arena *a = b[i].process->arena;
		if (!b[i].thread || !b[i].thread->held)
			continue;
		if (b[i].phase == TO_ENTRY)
			gadget_middle(&b[i], NULL);
		if (b[i].phase == TO_EXIT)
			gadget_end(&b[i], "", NULL);
		if (b[i].nr == SYS_memfd_create && b[i].result >= 0)
			b[i].fd = (int)b[i].result;
		if (b[i].nr == SYS_mmap && b[i].result > 0 && a && !a->remote)
			a->remote = (uint64_t)b[i].result;
		if (b[i].fd >= 0)
			GADGET(&b[i], "", &none, NULL, SYS_close, (uint64_t)b[i].fd);
	}
}

static int begin_serving(struct bootstrap *b, struct dn_error *err)
{
	struct dn_process *p = b->process;
	int r = 0;

	for (size_t i = 0; i < p->thread_count && r == 0; i++)
		r = dn_remote_new(p->arena, p->threads[i], i == 0, true, err);
	for (size_t i = 0; i < p->thread_count && r == 0; i++)
		r = dn_remote_start(p->threads[i]->remote, err);
	return r < 0 ? r
		     : dn_remote_call(p->threads[0]->remote, "close", NULL, err, SYS_close,
				      (const uint64_t[6]){ (uint64_t)b->fd });
}

int dn_processes_attach(struct dn_process **p, size_t n, struct dn_error *err)
{
	if (n > DN_ARENAS_MAX)
		return dn_error_refuse(err, "%zu processes at a time are more than dunlin can hold safely (%u)", n,
				       DN_ARENAS_MAX);
	_cleanup_free_ struct bootstrap *b = calloc(n + 1, sizeof(*b));
	int r = b ? 0 : dn_error_set(err, -ENOMEM, "cannot attach to %zu processes", n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		b[i].process = p[i];
		b[i].fd = -1;
	}
	for (size_t i = 0; i < n && r == 0; i++)
		r = prepare(&b[i], err);
	if (r == 0)
		r = create_arenas(b, n, err);
	if (r < 0)
		clean_up(b, n);
	for (size_t i = 0; i < n; i++) {
		int r2 = settle(&b[i], r < 0 ? NULL : err);
		r = r < 0 ? r : r2;
	}
	for (size_t i = 0; i < n && r == 0; i++)
		r = begin_serving(&b[i], err);
	for (size_t i = 0; i < n; i++)
		dn_room_give_back(p[i], &b[i].room);
	return r;
}

/* Is a thread in the arena's code that did not stop? */
static bool is_serving(const struct dn_process *p)
{
	for (size_t i = 0; i < p->thread_count; i++)
		if (p->threads[i]->held && p->threads[i]->remote && p->threads[i]->remote->serving)
			return true;
	return false;
}

/* Threads are stopped with their own registers.  What cannot be unmapped is reported once. */
static int unmap_arenas(struct dn_process **p, size_t n, struct dn_error *err)
{
	static const struct step unmap = { "unmap dunlin's memory", SYS_munmap, unmap_arguments };
	_cleanup_free_ struct bootstrap *b = calloc(n + 1, sizeof(*b));
	int r = b ? 0 : dn_error_set(err, -ENOMEM, "cannot let go of %zu processes", n), r2;
	size_t count = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		if (!p[i]->arena || !p[i]->arena->remote || !p[i]->thread_count || !p[i]->threads[0]->held ||
		    is_serving(p[i]))
			continue;
		b[count] = (struct bootstrap){ .process = p[i], .around = p[i]->around, .fd = -1 };
		b[count].thread = choose(p[i], p[i]->around);
		if (prepare_frame(&b[count], NULL) == 0)
			count++;
	}
	if (r == 0 && take_step(b, count, &unmap, NULL) < 0) {
		/* One of them was killed, say: one by one, then. */
		clean_up(b, count);
		for (size_t i = 0; i < count; i++) {
			long none;
			uint64_t args[6] = { 0 };
			unmap_arguments(&b[i], args);
			r2 = b[i].thread->held
				     ? gadget_call(&b[i], unmap.what, &none, r < 0 ? NULL : err, SYS_munmap, args)
				     : 0;
			r = r < 0 ? r : r2;
		}
	}
	for (size_t i = 0; i < count; i++) {
		r2 = b[i].thread->held ? settle(&b[i], r < 0 ? NULL : err) : 0;
		r = r < 0 ? r : r2;
	}
	return r;
}

static void request_stops(struct dn_process *p)
{
	for (size_t i = 0; i < p->thread_count; i++)
		if (p->threads[i]->held && p->threads[i]->remote && p->threads[i]->remote->serving)
			dn_thread_request_stop(p->threads[i], NULL);
}

static unsigned int ms_until(uint64_t until)
{
	uint64_t now = dn_now_ns();

	return now < until ? (unsigned int)((until - now) / 1000000) : 0;
}

/* All threads back from serving, masks and registers as they were. */
static int stop_serving(struct dn_process *p, uint64_t until, struct dn_error *err)
{
	int first = 0;

	for (size_t i = 0; i < p->thread_count; i++) {
		struct dn_thread *t = p->threads[i];
		if (!t->held || !t->remote || !t->remote->serving)
			continue;
		int r = dn_thread_await_stop(t, ms_until(until), first ? NULL : err);
		if (r > 0) {
			t->remote->serving = false;
			r = dn_thread_set_mask(t, t->sigmask, first ? NULL : err);
			if (r == 0)
				r = dn_thread_set_regs(t, &t->regs, first ? NULL : err);
		}
		if (r < 0 && first == 0)
			first = r;
	}
	return first;
}

static int let_thread_go(struct dn_thread *t, uint64_t until, struct dn_error *err)
{
	struct user_regs_struct regs = t->regs;
	int64_t left = t->remaining_ns;

	/* Asked to stop, but something failed before we saw it stop. */
	if (!t->held_at && dn_thread_await_stop(t, ms_until(until), NULL) <= 0)
		return 0;
	/* Still serving, somewhere where it cannot be stopped: it goes home when the arena is given up. */
	if (t->remote && t->remote->serving)
		return 0;
	if (left > 0) /* time went on while we held it */
		left = DN_MAX(left - (int64_t)(dn_now_ns() - t->held_at), 0);
	/* Where there is no good estimate, the kernel still knows when to wake it. */
	if ((t->asleep_ns >= 0 && !t->process->stop_signal) || (long)t->regs.rax != -ERESTART_RESTARTBLOCK)
		dn_thread_resume_regs(t, left, true, &regs);
	int r = t->held_at && memcmp(&regs, &t->regs, sizeof(regs)) ? dn_thread_set_regs(t, &regs, err) : 0;
	int r2 = dn_thread_detach(t, 0, r < 0 ? NULL : err);
	return r < 0 ? r : r2;
}

/* Those that were killed meanwhile are reaped: until then their parent does not learn of it.  The leader comes last. */
static void reap_dead(struct dn_process *p)
{
	for (size_t i = p->thread_count; i-- > 0;)
		if (!p->threads[i]->held)
			waitpid(p->threads[i]->tid, NULL, __WALL | WNOHANG);
}

int dn_processes_release(struct dn_process **p, size_t n, struct dn_error *err)
{
	const uint64_t until = dn_now_ns() + STOP_MS * 1000000ull, soon = dn_now_ns() + SOON_MS * 1000000ull;
	int first = 0, r;

	for (size_t i = 0; i < n; i++)
		request_stops(p[i]);
	for (size_t i = 0; i < n; i++) {
		r = stop_serving(p[i], until, first ? NULL : err);
		first = first ? first : r;
	}
	r = unmap_arenas(p, n, first ? NULL : err);
	first = first ? first : r;
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < p[i]->thread_count; j++) {
			r = p[i]->threads[j]->held ? let_thread_go(p[i]->threads[j], soon, first ? NULL : err) : 0;
			first = first ? first : r;
		}
		dn_arena_free(DN_STEAL(p[i]->arena));
		reap_dead(p[i]);
	}
	return first;
}
