/* SPDX-License-Identifier: BSD-3-Clause */
/* tracee.h - threads and processes under dunlin's hand, and how it makes them run system calls */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

#include "base/error.h"

#define DN_XSAVE_MAX 16384u

struct dn_process;
struct dn_remote;

/* One thread.  Valid while held (capture) or being built (restore). */
struct dn_thread {
	pid_t tid;
	struct dn_process *process;
	struct user_regs_struct regs; /* as the program must resume; may hold -ERESTART* in rax */
	uint64_t sigmask;
	void *xsave;
	uint32_t xsave_size;
	int64_t asleep_ns;	  /* how long it had been in its timed system call when held, -1: not in one */
	uint64_t asleep_since;	  /* dn_now_ns() when it fell asleep, 0: unknown */
	uint64_t rest_at;	  /* where the kernel will write what is left of the sleep, 0: nowhere */
	unsigned char rest[16];	  /* what stood there before */
	long restarted_call;	  /* restart_syscall: which call it probably is, 0: unknown */
	uint64_t asleep_switches; /* its voluntary context switches until then */
	int64_t remaining_ns;	  /* what was left of that call's timeout when held; -1: no timeout */
	uint64_t held_at;	  /* dn_now_ns() of the stop */
	bool stop_shows;	  /* seen in a call that returns EINTR after a mere stop */
	bool held;		  /* traced */
	bool stopped;		  /* its first stop has come, and does not show */
	struct dn_remote *remote; /* NULL until dn_remote_attach */
};

/* One process.  threads[0] is the leader. */
struct dn_process {
	pid_t pid;
	int pidfd;		   /* to signal it, and for pidfd_getfd */
	int mem_fd;		   /* /proc/PID/mem, read-write, opened on demand: dn_process_mem() */
	struct dn_process *parent; /* NULL: the root */
	pid_t ppid;
	pid_t parent_thread; /* thread of the parent whose child it is (prctl(2), PR_SET_PDEATHSIG) */
	char state;	     /* as in /proc/PID/stat before dunlin came: R S T Z ... */
	int stop_signal;     /* group-stopped by this signal, 0: not stopped */
	bool zombie;
	bool held; /* all threads are stopped */
	struct dn_thread **threads;
	size_t thread_count, thread_cap;
	struct dn_surroundings *around; /* where its own code makes system calls (attach.c) */
	struct dn_arena *arena;		/* memory shared with the process while dunlin works on it */
};

/* ---- remote system calls ----
 *
 * A thread that was given a `remote` sits in a small loop of injected code and serves batches of
 * system calls that dunlin writes to a slot of memory shared with it.  Use:
 *
 *	struct dn_batch b;
 *	dn_batch_begin(&b, thread->remote);
 *	void *local; uint64_t addr = dn_batch_alloc(&b, sizeof(stack_t), &local);
 *	size_t i = dn_batch_call(&b, "ask for the alternate stack", SYS_sigaltstack, 0, addr);
 *	r = dn_batch_run(&b, err);	   // runs the records queued so far
 *	long result = dn_batch_result(&b, i); // -errno as the kernel returned it
 *
 * Records are run in order; one that fails ends the batch unless it was queued by dn_batch_try().
 * dn_batch_run() then returns its -errno with an error that names `what`.
 */
struct dn_batch {
	struct dn_remote *remote;
	size_t calls;
	size_t data_used;
	bool overflow;
	const char *what[512]; /* DN_LEADER_SLOT_CALLS */
};

void dn_batch_begin(struct dn_batch *b, struct dn_remote *remote);

/* Room in the slot that the thread can read and write at the returned address, and dunlin at
 * *ret_local (zeroed, 16 byte aligned).  0 and a NULL local when the slot is full (then the next
 * dn_batch_run fails with -E2BIG). */
uint64_t dn_batch_alloc(struct dn_batch *b, size_t size, void **ret_local);
/* The same, filled with a copy of data. */
uint64_t dn_batch_put(struct dn_batch *b, const void *data, size_t size);

/* Queue a call; returns its index.  Missing arguments are 0.  `what` must live until the run. */
size_t dn_batch_queue(struct dn_batch *b, const char *what, bool may_fail, long nr, const uint64_t args[6]);
#define dn_batch_call(b, what, nr, ...) dn_batch_queue(b, what, false, nr, (const uint64_t[6]){ __VA_ARGS__ })
#define dn_batch_try(b, what, nr, ...) dn_batch_queue(b, what, true, nr, (const uint64_t[6]){ __VA_ARGS__ })

/* How many more calls / bytes fit: at least 1 call and its data when 0 are queued. */
size_t dn_batch_room(const struct dn_batch *b);

int dn_batch_run(struct dn_batch *b, struct dn_error *err);
long dn_batch_result(const struct dn_batch *b, size_t index);

/* Runs one call at once.  *ret_result may be NULL; then a negative result is an error. */
int dn_remote_call(struct dn_remote *remote, const char *what, long *ret_result, struct dn_error *err, long nr,
		   const uint64_t args[6]);

/* Largest single dn_batch_alloc, and calls, that always fit an empty batch of a process's leader
 * (a plain thread's slot has DN_THREAD_SLOT_*). */
#define DN_LEADER_SLOT_CALLS 512
#define DN_LEADER_SLOT_DATA 32768
#define DN_THREAD_SLOT_CALLS 24
#define DN_THREAD_SLOT_DATA 1024

/* ---- memory of a process from outside ---- */

/* Copies len bytes; -EFAULT if any of it is not there.  Works on PROT_NONE too. */
int dn_process_read(struct dn_process *p, uint64_t addr, void *buf, size_t len, struct dn_error *err);
int dn_process_write(struct dn_process *p, uint64_t addr, const void *buf, size_t len, struct dn_error *err);
int dn_process_mem(struct dn_process *p, struct dn_error *err); /* the /proc/PID/mem descriptor or -errno */
