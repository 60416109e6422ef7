/* SPDX-License-Identifier: BSD-3-Clause */
/* process.c - umask, child subreaper, OOM score, core dump filter, huge pages, membarrier, MDWE, dumpable
 *
 * The small things that the kernel keeps for each process or address space.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "base/kernel.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/util.h"
#include "resource/message.h"
#include "resource/tasks.h"

struct process_answer {
	int32_t subreaper;
};

/* The calls of process_ask, in order. */
enum { ASK_SUBREAPER, ASK_THP, ASK_DUMPABLE, ASK_MDWE, ASK_MEMBARRIER };

/* Registering these is what lets a process use the command next to them. */
static const uint32_t membarrier_registrations[] = {
	MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED,
	MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED,
	MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE,
	MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ,
};

/* ---- capture ---- */

static int process_ask(struct dn_thread *t, struct dn_batch *b, struct dn_error *err)
{
	void *local;
	uint64_t at = dn_batch_alloc(b, sizeof(struct process_answer), &local);

	dn_batch_call(b, "ask whether it is a child subreaper", SYS_prctl, PR_GET_CHILD_SUBREAPER,
		      at + offsetof(struct process_answer, subreaper));
	dn_batch_call(b, "ask whether huge pages are off", SYS_prctl, PR_GET_THP_DISABLE);
	dn_batch_call(b, "ask whether it is dumpable", SYS_prctl, PR_GET_DUMPABLE);
	dn_batch_try(b, "ask for memory-deny-write-execute", SYS_prctl, PR_GET_MDWE);
	dn_batch_try(b, "ask for membarrier registrations", SYS_membarrier, DN_MEMBARRIER_GET_REGISTRATIONS);
	return 0;
}

static int take_files(struct dn_thread *t, Dn__Process *process, struct dn_error *err)
{
	_cleanup_text_ struct dn_text text = {};
	int r = dn_read_text(&text, err, "/proc/%d/status", t->process->pid);

	if (r < 0)
		return r;
	const char *mask = dn_text_field(&text, "Umask");
	if (!mask)
		return dn_error_say(err, -EINVAL, "cannot find the umask in /proc/%d/status", t->process->pid);
	process->umask = (uint32_t)strtoul(mask, NULL, 8);
	r = dn_read_text(&text, err, "/proc/%d/oom_score_adj", t->process->pid);
	if (r < 0)
		return r;
	process->oom_score_adj = (int32_t)strtol(text.data, NULL, 10);
	r = dn_read_text(&text, err, "/proc/%d/coredump_filter", t->process->pid);
	if (r == 0)
		process->coredump_filter = (uint32_t)strtoul(text.data, NULL, 16);
	return r;
}

static int process_take(struct dn_capture *c, struct dn_thread *t, const struct dn_batch *b, size_t first, void *local,
			Dn__Process *process, Dn__Thread *thread, struct dn_error *err)
{
	const struct process_answer *a = local;

	if (!process->mm)
		process->mm = dn_message_new(&dn__mm__descriptor);
	if (!process->mm)
		return dn_task_no_memory(t, err);
	process->child_subreaper = a->subreaper != 0;
	process->mm->thp_disable = (uint32_t)dn_batch_result(b, first + ASK_THP);
	process->mm->dumpable = (uint32_t)dn_batch_result(b, first + ASK_DUMPABLE);
	long mdwe = dn_batch_result(b, first + ASK_MDWE);
	process->mdwe = mdwe > 0 ? (uint32_t)mdwe : 0;
	long barriers = dn_batch_result(b, first + ASK_MEMBARRIER);
	process->membarrier = barriers > 0 ? (uint32_t)barriers : 0;
	return take_files(t, process, err);
}

/* ---- restore: before memory ---- */

static int huge_pages_restore(struct dn_restore *r, struct dn_thread *t, struct dn_batch *b, const Dn__Process *process,
			      const Dn__Thread *thread, struct dn_error *err)
{
	uint32_t off = process->mm ? process->mm->thp_disable : 0;

	/* Bit 0: off; the other bits are flags of their own argument (6.18). */
	dn_batch_call(b, "switch huge pages on or off", SYS_prctl, PR_SET_THP_DISABLE, off & 1,
		      off & 1 ? off & ~1u : 0);
	return 0;
}

const struct dn_task_driver dn_task_huge_pages = {
	.name = "huge pages on or off",
	.scope = DN_SCOPE_PROCESS,
	.stage = DN_STAGE_EARLY,
	.restore = huge_pages_restore,
};

/* ---- restore: after memory ---- */

/* Writes a number to a file of /proc/PID if there is another.  -EACCES, -EPERM: may not, err is not set. */
static int set_file(struct dn_thread *t, const char *name, long value, int base, struct dn_error *err)
{
	_cleanup_text_ struct dn_text text = {};
	char path[64], number[24];
	int k = dn_read_text(&text, err, "/proc/%d/%s", t->process->pid, name);

	if (k < 0 || strtol(text.data, NULL, base) == value)
		return k;
	snprintf(path, sizeof(path), "/proc/%d/%s", t->process->pid, name);
	int n = snprintf(number, sizeof(number), base == 16 ? "%#lx" : "%ld", value);
	_cleanup_fd_ int fd = open(path, O_WRONLY | O_CLOEXEC);
	k = fd < 0 ? -errno : dn_write_full(fd, number, (size_t)n);
	return k < 0 && k != -EACCES && k != -EPERM ? dn_error_set(err, k, "cannot write %s to %s", number, path) : k;
}

static int set_files(struct dn_restore *r, struct dn_thread *t, const Dn__Process *process, struct dn_error *err)
{
	int k = set_file(t, "oom_score_adj", process->oom_score_adj, 10, err);

	if (k == -EACCES || k == -EPERM) {
		if (dn_task_say_once(r->tasks, DN_SAID_OOM))
			dn_warn("process %d had OOM score adjustment %d, which this user may not give it here (that "
				"needs "
				"CAP_SYS_RESOURCE): it has dunlin's own",
				t->process->pid, process->oom_score_adj);
		k = 0;
	}
	if (k == 0)
		k = set_file(t, "coredump_filter", (long)process->coredump_filter, 16, err);
	return k == -EACCES || k == -EPERM
		       ? dn_error_set(err, k, "cannot set the core dump filter of process %d", t->process->pid)
		       : k;
}

static int process_restore(struct dn_restore *r, struct dn_thread *t, struct dn_batch *b, const Dn__Process *process,
			   const Dn__Thread *thread, struct dn_error *err)
{
	dn_batch_call(b, "set the umask", SYS_umask, process->umask & 0777);
	if (process->child_subreaper)
		dn_batch_call(b, "become a child subreaper", SYS_prctl, PR_SET_CHILD_SUBREAPER, 1);
	for (size_t i = 0; i < DN_ARRAY_LEN(membarrier_registrations); i++)
		if (process->membarrier & membarrier_registrations[i])
			dn_batch_call(b, "register for membarrier", SYS_membarrier, membarrier_registrations[i]);
	return set_files(r, t, process, err);
}

const struct dn_task_driver dn_task_process = {
	.name = "process",
	.scope = DN_SCOPE_PROCESS,
	.ask = process_ask,
	.take = process_take,
	.stage = DN_STAGE_STATE,
	.restore = process_restore,
};

/* ---- restore: with the final identity ---- */

static int memory_rights_restore(struct dn_restore *r, struct dn_thread *t, struct dn_batch *b,
				 const Dn__Process *process, const Dn__Thread *thread, struct dn_error *err)
{
	uint32_t dumpable = process->mm ? process->mm->dumpable : 1;

	/* 2 (as fs.suid_dumpable: readable by root alone) is for the kernel to give. */
	if (dumpable > 1) {
		if (dn_task_say_once(r->tasks, DN_SAID_DUMPABLE))
			dn_info("process %d, whose core dumps were for root alone, will leave none: dumpable is 0 now",
				t->process->pid);
		dumpable = 0;
	}
	dn_batch_call(b, "set whether it is dumpable", SYS_prctl, PR_SET_DUMPABLE, dumpable);
	if (process->mdwe)
		dn_batch_call(b, "deny memory that is writable and executable", SYS_prctl, PR_SET_MDWE, process->mdwe);
	return 0;
}

const struct dn_task_driver dn_task_memory_rights = {
	.name = "dumpable and memory-deny-write-execute",
	.scope = DN_SCOPE_PROCESS,
	.stage = DN_STAGE_LAST,
	.restore = memory_rights_restore,
};
