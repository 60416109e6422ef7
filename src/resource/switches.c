/* SPDX-License-Identifier: BSD-3-Clause */
/* switches.c - prctl and arch_prctl switches: rdtsc, cpuid, speculation, machine checks, same-page merging
 *
 * All are inherited by fork, so a seed has dunlin's: each is compared before it is set, because some need
 * a privilege to be set and none to be had.
 */
#include <asm/prctl.h>
#include <errno.h>
#include <linux/prctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "base/kernel.h"
#include "base/log.h"
#include "base/util.h"
#include "resource/message.h"
#include "resource/tasks.h"

static const unsigned long speculation[] = { PR_SPEC_STORE_BYPASS, PR_SPEC_INDIRECT_BRANCH, PR_SPEC_L1D_FLUSH };

/* The calls of switches_ask, in order. */
enum { ASK_TSC, ASK_CPUID, ASK_MACHINE_CHECK, ASK_SPECULATION };

/* ---- of a thread ---- */

static int switches_ask(struct dn_thread *t, struct dn_batch *b, struct dn_error *err)
{
	void *local;
	uint64_t at = dn_batch_alloc(b, sizeof(int), &local);

	dn_batch_call(b, "ask whether rdtsc is allowed", SYS_prctl, PR_GET_TSC, at);
	dn_batch_try(b, "ask whether cpuid is allowed", SYS_arch_prctl, ARCH_GET_CPUID);
	dn_batch_try(b, "ask what is done on machine checks", SYS_prctl, PR_MCE_KILL_GET);
	for (size_t i = 0; i < DN_ARRAY_LEN(speculation); i++)
		dn_batch_try(b, "ask how to speculate", SYS_prctl, PR_GET_SPECULATION_CTRL, speculation[i]);
	return 0;
}

static int switches_take(struct dn_capture *c, struct dn_thread *t, const struct dn_batch *b, size_t first, void *local,
			 Dn__Process *process, Dn__Thread *thread, struct dn_error *err)
{
	Dn__Switches *s = thread->switches = dn_message_new(&dn__switches__descriptor);

	if (!s)
		return dn_task_no_memory(t, err);
	s->rdtsc_faults = *(int *)local == PR_TSC_SIGSEGV;
	s->cpuid_faults = dn_batch_result(b, first + ASK_CPUID) == 0;
	long policy = dn_batch_result(b, first + ASK_MACHINE_CHECK);
	s->machine_check = policy < 0 ? PR_MCE_KILL_DEFAULT : (uint32_t)policy;
	for (size_t i = 0; i < DN_ARRAY_LEN(speculation); i++) {
		long how = dn_batch_result(b, first + ASK_SPECULATION + i);
		uint32_t *slot = dn_message_append(&s->speculation, &s->n_speculation, sizeof(*slot));
		if (!slot)
			return dn_task_no_memory(t, err);
		/* Whether it can be controlled is said by a bit; where it cannot, it is not the thread's. */
		*slot = how > 0 && how & PR_SPEC_PRCTL ? (uint32_t)how & ~PR_SPEC_PRCTL : 0;
	}
	return 0;
}

static void restore_speculation(struct dn_batch *b, unsigned long which, uint32_t how)
{
	long own = prctl(PR_GET_SPECULATION_CTRL, which, 0, 0, 0);

	/* A processor that has not got the fault has nothing to control. */
	if (own > 0 && own & PR_SPEC_PRCTL && (own & ~(long)PR_SPEC_PRCTL) != how)
		dn_batch_try(b, "set how to speculate", SYS_prctl, PR_SET_SPECULATION_CTRL, which, how);
}

static int switches_restore(struct dn_restore *r, struct dn_thread *t, struct dn_batch *b, const Dn__Process *process,
			    const Dn__Thread *thread, struct dn_error *err)
{
	const Dn__Switches *s = thread->switches;
	int tsc = PR_TSC_ENABLE;

	if (!s) /* an older image */
		return 0;
	prctl(PR_GET_TSC, &tsc);
	if (s->rdtsc_faults != (tsc == PR_TSC_SIGSEGV))
		dn_batch_call(b, "set whether rdtsc is allowed", SYS_prctl, PR_SET_TSC,
			      s->rdtsc_faults ? PR_TSC_SIGSEGV : PR_TSC_ENABLE);
	if (s->cpuid_faults)
		dn_batch_call(b, "make cpuid fault", SYS_arch_prctl, ARCH_SET_CPUID, 0);
	if (prctl(PR_MCE_KILL_GET, 0, 0, 0, 0) != (int)s->machine_check) {
		bool own = s->machine_check != PR_MCE_KILL_DEFAULT;
		dn_batch_call(b, "set what is done on machine checks", SYS_prctl, PR_MCE_KILL,
			      own ? PR_MCE_KILL_SET : PR_MCE_KILL_CLEAR, own ? s->machine_check : 0);
	}
	for (size_t i = 0; i < DN_ARRAY_LEN(speculation) && i < s->n_speculation; i++)
		if (s->speculation[i])
			restore_speculation(b, speculation[i], s->speculation[i]);
	return 0;
}

const struct dn_task_driver dn_task_switches = {
	.name = "switches",
	.scope = DN_SCOPE_THREAD,
	.ask = switches_ask,
	.take = switches_take,
	.stage = DN_STAGE_STATE,
	.restore = switches_restore,
};

/* ---- of a process ---- */

static int merging_ask(struct dn_thread *t, struct dn_batch *b, struct dn_error *err)
{
	dn_batch_try(b, "ask whether equal pages are merged", SYS_prctl, PR_GET_MEMORY_MERGE);
	return 0;
}

static int merging_take(struct dn_capture *c, struct dn_thread *t, const struct dn_batch *b, size_t first, void *local,
			Dn__Process *process, Dn__Thread *thread, struct dn_error *err)
{
	process->memory_merge = dn_batch_result(b, first) == 1;
	return 0;
}

static int merging_restore(struct dn_restore *r, struct dn_thread *t, struct dn_batch *b, const Dn__Process *process,
			   const Dn__Thread *thread, struct dn_error *err)
{
	long result;

	if (process->memory_merge == (prctl(PR_GET_MEMORY_MERGE, 0, 0, 0, 0) == 1))
		return 0;
	int k = dn_task_call_now(b, "set whether equal pages are merged", &result, err, SYS_prctl,
				 (uint64_t[6]){ PR_SET_MEMORY_MERGE, process->memory_merge });
	if (k == 0 && result < 0 && dn_task_say_once(r->tasks, DN_SAID_MERGE))
		dn_warn("equal pages of process %d were merged (PR_SET_MEMORY_MERGE), which cannot be had here: %s",
			t->process->pid, strerror((int)-result));
	return k;
}

const struct dn_task_driver dn_task_merging = {
	.name = "same-page merging",
	.scope = DN_SCOPE_PROCESS,
	.ask = merging_ask,
	.take = merging_take,
	.stage = DN_STAGE_EARLY, /* it changes all mappings: memory then excepts what was excepted */
	.restore = merging_restore,
};
