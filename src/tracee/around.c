/* SPDX-License-Identifier: BSD-3-Clause */
/* around.c - what a process has for dunlin to begin with, and what a killed dunlin has left there */
#include "tracee/around.h"

#include <errno.h>
#include <time.h>

#include "base/proc.h"
#include "base/util.h"
#include "tracee/arena.h"
#include "tracee/control.h"

#define CODE_MAX (64UL << 20) /* how much of one mapping is searched */
#define CODE_PIECE 65536
#define STRAGGLER_TRIES 12
#define STACK_SEARCHED (256UL << 10)

/* Gadgets of code that many processes map (libc): dev, ino, offset -> offsets. */
struct known_code {
	unsigned long dev, ino, offset;
	long syscall_at, sigreturn_at;
};
#define KNOWN_MAX 16

/* In pieces that overlap, so that nothing at a seam is missed and no fresh memory is touched. */
static void search_code(struct dn_process *p, uint64_t start, uint64_t end, struct known_code *k)
{
	static __thread unsigned char code[CODE_PIECE];
	const size_t overlap = 16;

	k->syscall_at = k->sigreturn_at = -1;
	end = DN_MIN(end, start + CODE_MAX);
	for (uint64_t at = start; at < end && (k->syscall_at < 0 || k->sigreturn_at < 0); at += CODE_PIECE - overlap) {
		size_t len = DN_MIN(end - at, (uint64_t)CODE_PIECE);
		if (dn_process_read(p, at, code, len, NULL) < 0)
			return;
		long found = k->syscall_at < 0 ? dn_arch_find_syscall(code, len) : -1;
		if (found >= 0)
			k->syscall_at = (long)(at - start) + found;
		found = k->sigreturn_at < 0 ? dn_arch_find_sigreturn(code, len) : -1;
		if (found >= 0)
			k->sigreturn_at = (long)(at - start) + found;
		if (len < CODE_PIECE)
			return;
	}
}

static void look_at_code(struct dn_process *p, uint64_t start, uint64_t end, unsigned long dev, unsigned long ino,
			 unsigned long offset, struct dn_surroundings *s)
{
	/* Per process of dunlin, not per capture: code files do not change under one inode while mapped. */
	static __thread struct known_code known[KNOWN_MAX];
	static __thread size_t known_count;
	struct known_code fresh = { dev, ino, offset, -1, -1 }, *k = NULL;

	for (size_t i = 0; ino && i < known_count; i++)
		if (known[i].dev == dev && known[i].ino == ino && known[i].offset == offset)
			k = &known[i];
	if (!k) {
		search_code(p, start, end, &fresh);
		k = &fresh;
		if (ino && known_count < KNOWN_MAX)
			known[known_count++] = fresh;
	}
	if (!s->syscall_at && k->syscall_at >= 0)
		s->syscall_at = start + (uint64_t)k->syscall_at;
	if (!s->sigreturn_at && k->sigreturn_at >= 0)
		s->sigreturn_at = start + (uint64_t)k->sigreturn_at;
}

bool dn_is_arena_name(const char *name)
{
	static const char prefix[] = "/memfd:" DN_ARENA_NAME " ";
	return strncmp(name, prefix, sizeof(prefix) - 1) == 0;
}

int dn_look_around(struct dn_process *p, struct dn_error *err)
{
	_cleanup_text_ struct dn_text maps = {};
	int r = dn_read_text(&maps, err, "/proc/%d/maps", p->pid);
	struct dn_surroundings *s = r < 0 ? NULL : calloc(1, sizeof(*s));

	if (r < 0)
		return r;
	if (!s)
		return dn_error_set(err, -ENOMEM, "cannot look around in process %d", p->pid);
	free(p->around);
	p->around = s;
	for (char *line = maps.data, *next; line && *line; line = next) {
		unsigned long start, end, offset, major, minor, ino;
		char perms[5];
		int name_at = 0;
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (sscanf(line, "%lx-%lx %4s %lx %lx:%lx %lu %n", &start, &end, perms, &offset, &major, &minor, &ino,
			   &name_at) < 7)
			continue;
		const char *name = name_at ? line + name_at : "";
		if (strcmp(name, "[stack]") == 0) {
			s->stack_start = start;
			s->stack_end = end;
		} else if (dn_is_arena_name(name)) {
			if (s->left_count < DN_ARRAY_LEN(s->left))
				s->left[s->left_count++] = (__typeof__(s->left[0])){ start, end, perms[2] == 'x' };
			continue;
		}
		if (perms[0] != 'r' || perms[2] != 'x' || start >= 0xffff800000000000UL)
			continue;
		if (!s->syscall_at || !s->sigreturn_at)
			look_at_code(p, start, end, major << 20 | minor, ino, offset, s);
	}
	if (!s->syscall_at)
		return dn_error_refuse(err, "process %d has no code that makes system calls", p->pid);
	return 0;
}

/* ---- stragglers ---- */

static bool inside_leftover(const struct dn_thread *t, const struct dn_surroundings *s)
{
	for (size_t i = 0; i < s->left_count; i++)
		if (t->regs.rip >= s->left[i].start && t->regs.rip < s->left[i].end)
			return true;
	return false;
}

/* At a call of a killed dunlin, with a frame that leads back: the thread has not run since, being stopped, or
 * for want of a processor.  A signal handler of the program's own that is about to return may look like it. */
static bool at_gadget(const struct dn_thread *t, const struct dn_surroundings *s)
{
	const uint64_t rip = t->regs.rip, trampoline = 9; /* the longest of dn_arch_find_sigreturn() */
	uint64_t back = 0;

	if (!s->sigreturn_at)
		return false;
	if (rip >= s->sigreturn_at && rip < s->sigreturn_at + trampoline)
		return true;
	return rip >= s->syscall_at && rip <= s->syscall_at + 2 &&
	       dn_process_read(t->process, t->regs.rsp, &back, sizeof(back), NULL) == 0 && back == s->sigreturn_at;
}

/* A stopped thread runs for a while, and stops again. */
static int let_run(struct dn_thread *t, long ns, struct dn_error *err)
{
	int r;

	t->stopped = false;
	/* One that SIGSTOP had stopped has two stops before it: that of SEIZE, and that which was asked for. */
	do {
		r = dn_thread_continue(t, 0, err);
		nanosleep(&(struct timespec){ .tv_nsec = ns }, NULL);
	} while (r == 0 && dn_thread_await_stop(t, 0, NULL) > 0);
	if (r == 0)
		r = dn_thread_interrupt(t, err);
	return r < 0 ? r : dn_thread_read_state(t, err);
}

/* The word at `at` of the stack is an address within the code that was left: if it belongs to a signal frame, its
 * handler returns to where the code would have led. */
static void mend_frame(struct dn_thread *t, uint64_t code, uint64_t at)
{
	uint64_t frame[DN_ARCH_FRAME_WORDS], start = at - DN_ARCH_FRAME_IP * sizeof(uint64_t);

	if (dn_process_read(t->process, start, frame, sizeof(frame), NULL) == 0 &&
	    dn_arch_frame_home(t->process, code, frame))
		dn_process_write(t->process, start, frame, sizeof(frame), NULL);
}

/* A signal may have come just when the way home had unblocked it, and its handler be under way. */
static void mend_handlers(struct dn_thread *t, const struct dn_surroundings *s)
{
	uint64_t words[DN_PAGE_SIZE / sizeof(uint64_t)], end = DN_ALIGN_DOWN(t->regs.rsp, 8) + STACK_SEARCHED;

	for (uint64_t at = DN_ALIGN_DOWN(t->regs.rsp, 8), next; at < end; at = next) {
		next = DN_ALIGN_DOWN(at + DN_PAGE_SIZE, DN_PAGE_SIZE);
		if (dn_process_read(t->process, at, words, next - at, NULL) < 0)
			return;
		for (uint64_t i = 0; i < (next - at) / sizeof(uint64_t); i++)
			for (size_t k = 0; k < s->left_count; k++)
				if (s->left[k].code && words[i] >= s->left[k].start && words[i] < s->left[k].end)
					mend_frame(t, s->left[k].start, at + i * sizeof(uint64_t));
	}
}

/* Threads that are still on their way home must not lose the code they are in, nor be taken for being
 * where they are.  1: there were some. */
int dn_let_stragglers_home(struct dn_process *p, struct dn_error *err)
{
	const struct dn_surroundings *s = p->around;
	int moved = 0;

	for (size_t i = 0; i < p->thread_count; i++) {
		struct dn_thread *t = p->threads[i];
		int tries = 0, r = 0;
		for (; r == 0 && tries < STRAGGLER_TRIES && (inside_leftover(t, s) || at_gadget(t, s)); tries++)
			r = let_run(t, 200000L << DN_MIN(tries, 8), err);
		if (r == -ESRCH) /* it ended in its own way */
			dn_process_forget_thread(p, i--);
		else if (r < 0)
			return r;
		else if (tries == STRAGGLER_TRIES && inside_leftover(t, s))
			return dn_error_say(err, -EBUSY, "thread %d of process %d is in the hands of another dunlin",
					    t->tid, p->pid);
		else if (s->left_count)
			mend_handlers(t, s);
		if (tries > 0 && tries < STRAGGLER_TRIES)
			moved = 1;
	}
	return moved;
}
