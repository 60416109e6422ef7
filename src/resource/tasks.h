/* SPDX-License-Identifier: BSD-3-Clause */
/* tasks.h - what the drivers of task attributes share
 *
 * Theory of operation: a driver never talks to the kernel about a task of another user if the task can
 * be asked itself, because dunlin may lack the privilege (CAP_SYS_RESOURCE for limits, say) and the
 * task never does.  It compares before it changes: what a seed inherited from dunlin and is right
 * already needs no call and so no privilege, which is what makes unprivileged restarts work.  What
 * only affects how fast a program runs (priorities, affinity) and cannot be had here is a warning;
 * what affects what it does is an error.
 */
#pragma once

#include <sched.h>
#include <signal.h>
#include <sys/resource.h>

#include "base/proc.h"
#include "resource/context.h"
#include "resource/resource.h"

#define DN_SIGNALS 64
#define DN_TASK_CPUS 8192 /* CONFIG_NR_CPUS at most */

#define DN_TASK_NAMESPACES 5
#define DN_TASK_NAMESPACE_NAME 48 /* "pid_for_children:[4026531836]" */

/* Warnings that are given once, however many tasks they concern: bits of dn_task_memo.said. */
enum dn_task_said {
	DN_SAID_BOUNDING,
	DN_SAID_NO_NEW_PRIVS,
	DN_SAID_NICE,
	DN_SAID_AFFINITY,
	DN_SAID_IO_PRIORITY,
	DN_SAID_NUMA,
	DN_SAID_OOM,
	DN_SAID_DEATH,
	DN_SAID_DUMPABLE,
	DN_SAID_TIMER_CLOCK,
	DN_SAID_MERGE,
	DN_SAID_LIMIT, /* and one for each resource after it */
	DN_SAID_END = DN_SAID_LIMIT + RLIM_NLIMITS,
};

/* What is the same for all tasks of one capture or restore. */
struct dn_task_memo {
	Dn__Credentials *own;		    /* dunlin's identity, which seeds start with */
	struct rlimit limits[RLIM_NLIMITS]; /* dunlin's, likewise */
	bool have_limits;
	uint64_t online[DN_TASK_CPUS / 64]; /* processors of this host */
	bool have_online;
	uint64_t own_slice; /* sched_runtime that an ordinary thread has without asking */
	uint64_t said;
	struct dn_text status; /* of the thread that was asked for last, dn_task_status() */
	pid_t status_of;
	/* Of sandbox.c: a child of dunlin, 0: none; does the thread being looked at need it; who used semaphores. */
	pid_t twin;
	uid_t twin_uid;
	gid_t twin_gid;
	bool sandbox_in_doubt, have_sem_users;
	bool itimer_expired; /* a signal of the process's interval timers is pending */
	pid_t *sem_users;
	size_t sem_user_count;
	/* Of the process whose threads are being looked at. */
	char namespaces[DN_TASK_NAMESPACES][DN_TASK_NAMESPACE_NAME];
};
_Static_assert(DN_SAID_END <= 64, "bits of dn_task_memo.said");

/* The memo of a capture or restore: made when first asked for. */
int dn_task_memo(struct dn_task_memo **memo, struct dn_error *err);
/* The text of /proc/PID/task/TID/status of a held thread; read once while drivers look at it. */
int dn_task_status(struct dn_capture *c, struct dn_thread *t, const struct dn_text **ret, struct dn_error *err);
/* Ends the child of sandbox.c, if there is one. */
void dn_task_end_double(struct dn_task_memo *memo);
/* true the first time. */
bool dn_task_say_once(struct dn_task_memo *memo, unsigned int what);

/* Makes sure that calls more calls and bytes more bytes (in one piece, or 16 byte aligned pieces) fit b:
 * runs what is queued if they do not. */
int dn_task_room(struct dn_thread *t, struct dn_batch *b, size_t calls, size_t bytes, struct dn_error *err);
/* Runs what is queued in b, then this one call, which may fail: its result is in *ret_result. */
int dn_task_call_now(struct dn_batch *b, const char *what, long *ret_result, struct dn_error *err, long nr,
		     const uint64_t args[6]);
/* How many bytes of data the slot of a thread takes. */
size_t dn_task_slot_data(const struct dn_thread *t);

/* No memory for the image's message about this thread. */
int dn_task_no_memory(const struct dn_thread *t, struct dn_error *err);

/* Is this the pending signal of an interval timer that can send it again?  Then queues that. */
bool dn_timer_send_again(const Dn__Process *process, const siginfo_t *info, struct dn_batch *b);

extern const struct dn_task_driver dn_task_huge_pages, dn_task_folders, dn_task_unshared, dn_task_process,
	dn_task_thread, dn_task_scheduling, dn_task_signal_actions, dn_task_credentials, dn_task_stray_signals,
	dn_task_posix_timers, dn_task_interval_timers, dn_task_shared_pending, dn_task_pending, dn_task_death_signal,
	dn_task_limits, dn_task_memory_rights, dn_task_switches, dn_task_merging, dn_task_unsupported_process,
	dn_task_unsupported_thread, dn_task_sandbox, dn_task_sandbox_doubt, dn_task_undo, dn_task_expired,
	dn_task_shared_expired, dn_task_thread_expired;
