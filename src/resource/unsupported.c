/* SPDX-License-Identifier: BSD-3-Clause */
/* unsupported.c - state that nobody else asks for, and that is not kept: who has it is refused
 *
 * Without this it would be lost silently.  Each is rare; what makes one worth keeping moves to a driver of
 * its own.
 */
#include <asm/ldt.h>
#include <asm/prctl.h>
#include <errno.h>
#include <linux/keyctl.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "base/kernel.h"
#include "base/proc.h"
#include "base/util.h"
#include "resource/tasks.h"
#include "tracee/control.h"

#define FLUSHER_FLAGS (0x00080000u | 0x00100000u) /* PF_MEMALLOC_NOIO, PF_LOCAL_THROTTLE: PR_SET_IO_FLUSHER */

static int refuse(const struct dn_thread *t, const char *what, struct dn_error *err)
{
	return dn_error_refuse(err, "thread %d of process %d has %s, which cannot be captured", t->tid, t->process->pid,
			       what);
}

/* ---- of a thread ---- */

static int thread_look(struct dn_capture *c, struct dn_thread *t, Dn__Process *process, Dn__Thread *thread,
		       struct dn_error *err)
{
	const char *odd = dn_arch_odd_state(t);

	return odd ? refuse(t, odd, err) : 0;
}

enum { ASK_KEYRING, ASK_COOKIE };

static int thread_ask(struct dn_thread *t, struct dn_batch *b, struct dn_error *err)
{
	void *local;
	uint64_t at = dn_batch_alloc(b, sizeof(uint64_t), &local);

	dn_batch_try(b, "ask for the thread's keyring", SYS_keyctl, KEYCTL_GET_KEYRING_ID,
		     (uint64_t)KEY_SPEC_THREAD_KEYRING, 0);
	dn_batch_try(b, "ask for the core scheduling cookie", SYS_prctl, PR_SCHED_CORE, PR_SCHED_CORE_GET, 0, 0, at);
	return 0;
}

static bool has_keyring(long result)
{
	return result > 0 || result == -EACCES || result == -EKEYEXPIRED || result == -EKEYREVOKED;
}

static int thread_take(struct dn_capture *c, struct dn_thread *t, const struct dn_batch *b, size_t first, void *local,
		       Dn__Process *process, Dn__Thread *thread, struct dn_error *err)
{
	if (has_keyring(dn_batch_result(b, first + ASK_KEYRING)))
		return refuse(t, "a keyring of its own (keyctl)", err);
	if (dn_batch_result(b, first + ASK_COOKIE) == 0 && *(uint64_t *)local)
		return refuse(t, "a core scheduling cookie (PR_SCHED_CORE)", err);
	return 0;
}

const struct dn_task_driver dn_task_unsupported_thread = {
	.name = "unsupported of a thread",
	.scope = DN_SCOPE_THREAD,
	.look = thread_look,
	.ask = thread_ask,
	.take = thread_take,
};

/* ---- of a process ---- */

struct process_answer {
	uint64_t untag_mask;
	struct user_desc ldt;
};

enum { ASK_LDT, ASK_UNTAG_MASK, ASK_PROCESS_KEYRING };

static int process_look(struct dn_capture *c, struct dn_thread *t, Dn__Process *process, Dn__Thread *thread,
			struct dn_error *err)
{
	struct dn_stat st;
	int r = dn_stat_read(t->process->pid, 0, &st, err);

	if (r == 0 && (st.flags & FLUSHER_FLAGS) == FLUSHER_FLAGS)
		return refuse(t, "the rights of an I/O flusher (PR_SET_IO_FLUSHER)", err);
	return r;
}

static int process_ask(struct dn_thread *t, struct dn_batch *b, struct dn_error *err)
{
	void *local;
	uint64_t at = dn_batch_alloc(b, sizeof(struct process_answer), &local);

	dn_batch_try(b, "ask for the local descriptor table", SYS_modify_ldt, 0,
		     at + offsetof(struct process_answer, ldt), sizeof(struct user_desc));
	dn_batch_try(b, "ask for bits of addresses that are ignored", SYS_arch_prctl, ARCH_GET_UNTAG_MASK,
		     at + offsetof(struct process_answer, untag_mask));
	dn_batch_try(b, "ask for the process's keyring", SYS_keyctl, KEYCTL_GET_KEYRING_ID,
		     (uint64_t)KEY_SPEC_PROCESS_KEYRING, 0);
	return 0;
}

static int process_take(struct dn_capture *c, struct dn_thread *t, const struct dn_batch *b, size_t first, void *local,
			Dn__Process *process, Dn__Thread *thread, struct dn_error *err)
{
	const struct process_answer *a = local;

	/* The kernel returns it as an int: no sign, no error above 4095. */
	long ldt = (int)dn_batch_result(b, first + ASK_LDT);
	if (ldt > 0)
		return refuse(t, "a local descriptor table (modify_ldt)", err);
	if (dn_batch_result(b, first + ASK_UNTAG_MASK) == 0 && a->untag_mask != UINT64_MAX)
		return refuse(t, "addresses with tags in them (ARCH_ENABLE_TAGGED_ADDR)", err);
	if (has_keyring(dn_batch_result(b, first + ASK_PROCESS_KEYRING)))
		return refuse(t, "a keyring of its process (keyctl)", err);
	return 0;
}

const struct dn_task_driver dn_task_unsupported_process = {
	.name = "unsupported of a process",
	.scope = DN_SCOPE_PROCESS,
	.look = process_look,
	.ask = process_ask,
	.take = process_take,
};
