/* SPDX-License-Identifier: BSD-3-Clause */
/* thread.c - name, alternate stack, robust list, rseq, child tid address, personality, parent death signal
 *
 * The small things that the kernel keeps for each thread.  All but the parent death signal are set
 * whatever a seed has: one call each, and none needs a privilege.
 */
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include "base/kernel.h"
#include "base/log.h"
#include "base/util.h"
#include "resource/message.h"
#include "resource/tasks.h"

#define COMM_MAX 16 /* with the NUL */
#define PERSONALITY_ASK 0xffffffffu
#define ROBUST_LIST_SIZE 24u /* sizeof(struct robust_list_head); the kernel takes no other */
#define ALTSTACK_KEPT (SS_DISABLE | (int)DN_SS_AUTODISARM)
#define DN_SS_AUTODISARM (1u << 31)

struct thread_answer {
	stack_t stack;
	char comm[COMM_MAX];
	uint64_t tid_address;
	int32_t death_signal;
};

/* ---- capture ---- */

static int look_rseq(struct dn_thread *t, Dn__Thread *thread, struct dn_error *err)
{
	/* A critical section that the thread was in has been aborted already, when it was held. */
	struct __ptrace_rseq_configuration rseq = {};

	if (ptrace(PTRACE_GET_RSEQ_CONFIGURATION, t->tid, (void *)sizeof(rseq), &rseq) < 0) {
		if (errno == EIO || errno == EINVAL) /* a kernel without rseq, or before 5.13 */
			return 0;
		return dn_error_set(err, -errno, "cannot get the restartable sequences of thread %d", t->tid);
	}
	if (!rseq.rseq_abi_pointer)
		return 0;
	thread->rseq = rseq.rseq_abi_pointer;
	thread->rseq_size = rseq.rseq_abi_size;
	thread->rseq_signature = rseq.signature;
	return 0;
}

/* Programs that catch their own system calls would catch ours. */
static int look_dispatch(struct dn_thread *t, struct dn_error *err)
{
	struct ptrace_sud_config sud = {};

	if (ptrace(PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG, t->tid, (void *)sizeof(sud), &sud) < 0) {
		if (errno == EIO || errno == EINVAL) /* before 6.4 */
			return 0;
		return dn_error_set(err, -errno, "cannot get the system call dispatch of thread %d", t->tid);
	}
	if (sud.mode)
		return dn_error_refuse(
			err,
			"thread %d of process %d catches its own system calls (PR_SET_SYSCALL_USER_DISPATCH, "
			"as Wine does), which cannot be captured",
			t->tid, t->process->pid);
	return 0;
}

static int thread_look(struct dn_capture *c, struct dn_thread *t, Dn__Process *process, Dn__Thread *thread,
		       struct dn_error *err)
{
	int r = look_rseq(t, thread, err);

	return r < 0 ? r : look_dispatch(t, err);
}

static int thread_ask(struct dn_thread *t, struct dn_batch *b, struct dn_error *err)
{
	void *local;
	uint64_t at = dn_batch_alloc(b, sizeof(struct thread_answer), &local);

	dn_batch_call(b, "ask for the personality", SYS_personality, PERSONALITY_ASK);
	dn_batch_call(b, "ask for the alternate signal stack", SYS_sigaltstack, 0,
		      at + offsetof(struct thread_answer, stack));
	dn_batch_call(b, "ask for the child tid address", SYS_prctl, PR_GET_TID_ADDRESS,
		      at + offsetof(struct thread_answer, tid_address));
	dn_batch_call(b, "ask for the parent death signal", SYS_prctl, PR_GET_PDEATHSIG,
		      at + offsetof(struct thread_answer, death_signal));
	dn_batch_call(b, "ask for the thread's name", SYS_prctl, PR_GET_NAME,
		      at + offsetof(struct thread_answer, comm));
	return 0;
}

static int thread_take(struct dn_capture *c, struct dn_thread *t, const struct dn_batch *b, size_t first, void *local,
		       Dn__Process *process, Dn__Thread *thread, struct dn_error *err)
{
	const struct thread_answer *a = local;
	void *head;
	size_t size;

	thread->personality = (uint32_t)dn_batch_result(b, first);
	thread->altstack_sp = (uint64_t)a->stack.ss_sp;
	thread->altstack_size = a->stack.ss_size;
	/* SS_ONSTACK only tells where the stack pointer is. */
	thread->altstack_flags = (uint32_t)(a->stack.ss_flags & ALTSTACK_KEPT);
	thread->clear_child_tid = a->tid_address;
	thread->parent_death_signal = (uint32_t)a->death_signal;
	if (syscall(SYS_get_robust_list, t->tid, &head, &size) < 0)
		return dn_error_set(err, -errno, "cannot get the robust futexes of thread %d", t->tid);
	thread->robust_list = (uint64_t)head;
	thread->robust_list_size = size;
	/* Any byte may stand in it. */
	size_t len = strnlen(a->comm, sizeof(a->comm));
	return dn_message_bytes(&thread->comm, a->comm, len) < 0 ? dn_task_no_memory(t, err) : 0;
}

/* ---- restore ---- */

static int thread_restore(struct dn_restore *r, struct dn_thread *t, struct dn_batch *b, const Dn__Process *process,
			  const Dn__Thread *thread, struct dn_error *err)
{
	char comm[COMM_MAX] = {};
	stack_t stack = {
		.ss_sp = (void *)thread->altstack_sp,
		.ss_size = thread->altstack_size,
		.ss_flags = (int)thread->altstack_flags & ALTSTACK_KEPT,
	};

	memcpy(comm, thread->comm.data, DN_MIN(thread->comm.len, sizeof(comm) - 1));
	dn_batch_call(b, "set the thread's name", SYS_prctl, PR_SET_NAME, dn_batch_put(b, comm, sizeof(comm)));
	dn_batch_call(b, "set the personality", SYS_personality, thread->personality);
	dn_batch_call(b, "set the alternate signal stack", SYS_sigaltstack, dn_batch_put(b, &stack, sizeof(stack)));
	dn_batch_call(b, "set the robust futex list", SYS_set_robust_list, thread->robust_list, ROBUST_LIST_SIZE);
	dn_batch_call(b, "set the child tid address", SYS_set_tid_address, thread->clear_child_tid);
	if (thread->rseq)
		dn_batch_call(b, "register restartable sequences", SYS_rseq, thread->rseq, thread->rseq_size, 0,
			      thread->rseq_signature);
	return 0;
}

const struct dn_task_driver dn_task_thread = {
	.name = "thread",
	.scope = DN_SCOPE_THREAD,
	.look = thread_look,
	.ask = thread_ask,
	.take = thread_take,
	.stage = DN_STAGE_STATE,
	.restore = thread_restore,
};

/* Until now a seed dies with dunlin: by the signal that dunlin gave it, or by ptrace. */
static int death_signal_restore(struct dn_restore *r, struct dn_thread *t, struct dn_batch *b,
				const Dn__Process *process, const Dn__Thread *thread, struct dn_error *err)
{
	uint32_t sig = thread->parent_death_signal;

	/* The parent of the root is dunlin now.  When that goes away it is no reason to die. */
	if (sig && t->process == r->seeds[0] && r->options->detach) {
		sig = 0;
		if (dn_task_say_once(r->tasks, DN_SAID_DEATH))
			dn_warn("process %d was to get signal %u at the death of its parent, which is not there any "
				"more: "
				"after a detached restart it gets none",
				t->process->pid, thread->parent_death_signal);
	}
	/* A process has the one that dunlin gave it; new threads have none. */
	if (sig || t == t->process->threads[0])
		dn_batch_call(b, "set the parent death signal", SYS_prctl, PR_SET_PDEATHSIG, sig);
	return 0;
}

const struct dn_task_driver dn_task_death_signal = {
	.name = "parent death signal",
	.scope = DN_SCOPE_THREAD,
	.stage = DN_STAGE_LAST,
	.restore = death_signal_restore,
};
