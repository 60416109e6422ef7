/* SPDX-License-Identifier: BSD-3-Clause */
/* remote.c - batches of system calls that a thread runs for dunlin
 *
 * The thread sits in the injected loop (arch/loop_*.S).  A batch is written to its slot, `posted` is
 * counted up and woken; the loop runs the records, sets `done` and wakes that.  No ptrace stop is
 * involved between batches, so a round trip costs a pair of futex calls.
 */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "base/util.h"
#include "tracee/arena.h"
#include "tracee/control.h"

#define FUTEX2_U32 0x02 /* FUTEX2_SIZE_U32, shared */

/* ptrace waits are needed only when something goes wrong: look for it this often. */
#define LOOK_MS 50
#define SPINS 400

int dn_remote_new(struct dn_arena *a, struct dn_thread *t, bool leader, bool may_go_home, struct dn_error *err)
{
	size_t size = leader ? DN_LEADER_SLOT : DN_THREAD_SLOT;
	struct dn_remote *r = calloc(1, sizeof(*r));

	if (!r)
		return dn_error_set(err, -ENOMEM, "cannot drive thread %d", t->tid);
	if (a->used + size > a->size) {
		free(r);
		return dn_error_say(err, -ENOSPC, "no room for thread %d in the shared memory", t->tid);
	}
	r->thread = t;
	r->slot = (struct dn_slot *)(a->local + a->used);
	r->slot_remote = a->remote + a->used;
	r->slot_size = size;
	r->call_max = leader ? DN_LEADER_SLOT_CALLS : DN_THREAD_SLOT_CALLS;
	a->used += size;
	struct dn_arena_header *h = (void *)(a->local + DN_ARENA_CODE);
	struct dn_slot *s = r->slot;
	s->owner_ptr = a->remote + DN_ARENA_CODE + offsetof(struct dn_arena_header, owner);
	s->waiters[0] = (struct dn_futex_waiter){ h->owner, s->owner_ptr, FUTEX2_U32, 0 };
	s->waiters[1] = (struct dn_futex_waiter){ 0, r->slot_remote + DN_SLOT_POSTED, FUTEX2_U32, 0 };
	if (may_go_home) {
		dn_arch_home(s, &t->regs, t->sigmask);
		s->home_valid = 1;
	}
	t->remote = r;
	return 0;
}

void dn_remote_free(struct dn_remote *r)
{
	free(r);
}

int dn_remote_start(struct dn_remote *r, struct dn_error *err)
{
	struct dn_thread *t = r->thread;
	struct user_regs_struct regs = t->regs;

	dn_arch_enter_loop(&regs, t->process->arena->remote, r->slot_remote, r->slot);
	/* In this order: from the moment the mask is changed, the loop is what puts it right. */
	int k = dn_thread_set_regs(t, &regs, err);
	if (k == 0)
		k = dn_thread_set_mask(t, ~0ULL, err);
	if (k == 0)
		k = dn_thread_continue(t, 0, err);
	if (k == 0)
		r->serving = true;
	return k;
}

int dn_remote_stop(struct dn_remote *r, struct dn_error *err)
{
	if (!r->serving)
		return 0;
	int k = dn_thread_interrupt(r->thread, err);
	if (k == 0)
		r->serving = false;
	return k;
}

/* ---- batches ---- */

static size_t data_start(const struct dn_remote *r)
{
	return DN_SLOT_RECORDS + r->call_max * DN_RECORD_SIZE;
}

void dn_batch_begin(struct dn_batch *b, struct dn_remote *remote)
{
	*b = (struct dn_batch){ .remote = remote };
}

uint64_t dn_batch_alloc(struct dn_batch *b, size_t size, void **ret_local)
{
	struct dn_remote *r = b->remote;
	size_t at = data_start(r) + DN_ALIGN_UP(b->data_used, 16);

	*ret_local = NULL;
	if (size > r->slot_size || at + size > r->slot_size) {
		b->overflow = true;
		return 0;
	}
	b->data_used = at + size - data_start(r);
	*ret_local = (char *)r->slot + at;
	memset(*ret_local, 0, size);
	return r->slot_remote + at;
}

uint64_t dn_batch_put(struct dn_batch *b, const void *data, size_t size)
{
	void *local;
	uint64_t remote = dn_batch_alloc(b, size, &local);

	if (local)
		memcpy(local, data, size);
	return remote;
}

size_t dn_batch_queue(struct dn_batch *b, const char *what, bool may_fail, long nr, const uint64_t args[6])
{
	if (b->calls >= b->remote->call_max) {
		b->overflow = true;
		return 0;
	}
	struct dn_record *rec = &b->remote->slot->records[b->calls];
	rec->nr = nr;
	memcpy(rec->args, args, sizeof(rec->args));
	rec->result = -ECANCELED;
	rec->may_fail = may_fail;
	b->what[b->calls] = what;
	return b->calls++;
}

size_t dn_batch_room(const struct dn_batch *b)
{
	return b->remote->call_max - b->calls;
}

long dn_batch_result(const struct dn_batch *b, size_t index)
{
	return index < b->calls ? (long)b->remote->slot->records[index].result : -EINVAL;
}

int dn_batch_post(struct dn_batch *b, struct dn_error *err)
{
	struct dn_slot *s = b->remote->slot;

	if (b->overflow)
		return dn_error_say(err, -E2BIG, "too many system calls at once for thread %d", b->remote->thread->tid);
	s->count = (uint32_t)b->calls;
	s->executed = 0;
	__atomic_store_n(&s->posted, s->posted + 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &s->posted, FUTEX_WAKE, 1, NULL, NULL, 0);
	return 0;
}

int dn_batch_wait(struct dn_batch *b, struct dn_error *err)
{
	struct dn_remote *r = b->remote;
	struct dn_slot *s = r->slot;
	struct timespec look = { .tv_nsec = LOOK_MS * 1000000L };

	for (int spins = 0;; spins++) {
		uint32_t done = __atomic_load_n(&s->done, __ATOMIC_SEQ_CST);
		if (done == s->posted)
			break;
		/* Mostly it takes a few microseconds: less than going to sleep. */
		if (spins < SPINS) {
			dn_arch_pause();
			continue;
		}
		if (syscall(SYS_futex, &s->done, FUTEX_WAIT, done, &look, NULL, 0) < 0 && errno == ETIMEDOUT) {
			int k = dn_thread_check_running(r->thread, err);
			if (k < 0)
				return k;
		}
	}
	/* The slot can be written by the program's other threads: believe nothing that was not queued. */
	size_t executed = DN_MIN((size_t)s->executed, b->calls);
	for (size_t i = 0; i < executed; i++) {
		struct dn_record *rec = &s->records[i];
		if (rec->result < 0 && rec->result >= -4095 && !rec->may_fail)
			return dn_error_set(err, (int)rec->result, "cannot %s in thread %d",
					    b->what[i] ? b->what[i] : "run a system call", r->thread->tid);
	}
	if (executed < b->calls)
		return dn_error_say(err, -EIO, "thread %d ran only %zu of %zu system calls", r->thread->tid, executed,
				    b->calls);
	return 0;
}

int dn_batch_run(struct dn_batch *b, struct dn_error *err)
{
	if (b->calls == 0 && !b->overflow)
		return 0;
	int r = dn_batch_post(b, err);
	return r < 0 ? r : dn_batch_wait(b, err);
}

int dn_remote_call(struct dn_remote *remote, const char *what, long *ret_result, struct dn_error *err, long nr,
		   const uint64_t args[6])
{
	struct dn_batch b;

	dn_batch_begin(&b, remote);
	size_t i = dn_batch_queue(&b, what, ret_result != NULL, nr, args);
	int r = dn_batch_run(&b, err);
	if (r == 0 && ret_result)
		*ret_result = dn_batch_result(&b, i);
	return r;
}
