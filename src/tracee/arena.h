/* SPDX-License-Identifier: BSD-3-Clause */
/* arena.h - memory shared between dunlin and the processes under its hand, and the remotes in it */
#pragma once

#include "tracee/slot.h"
#include "tracee/tracee.h"

#define DN_ARENA_NAME "dunlin:arena" /* of the memfd: how a later dunlin finds what a killed one left */
#define DN_ARENA_CODE 4096UL
#define DN_ARENA_HEADER 4096UL
#define DN_THREAD_SLOT 4096UL
#define DN_LEADER_SLOT                                                                                                 \
	DN_ALIGN_UP(DN_SLOT_RECORDS + DN_LEADER_SLOT_CALLS * DN_RECORD_SIZE + DN_LEADER_SLOT_DATA, 4096UL)

/* The kernel follows a robust list that far (ROBUST_LIST_LIMIT, 2048): a program behind that would not learn of
 * dunlin's death. */
#define DN_ARENAS_MAX 2000u

struct dn_arena {
	int fd;		 /* the memfd */
	char *local;	 /* where dunlin has it */
	uint64_t remote; /* where the processes have it */
	size_t size, used;
	struct dn_arena *next; /* dunlin's robust list, see arena.c */
};

/* One thread's way to run system calls for dunlin. */
struct dn_remote {
	struct dn_thread *thread;
	struct dn_slot *slot; /* local */
	uint64_t slot_remote;
	size_t slot_size, call_max;
	bool serving; /* in the loop, not ptrace-stopped */
};

/* How large an arena for that many processes and threads (leaders included) is. */
size_t dn_arena_size(size_t processes, size_t threads);

/* Takes over fd (a memfd): sizes it, maps it (at address `at`, or anywhere when 0; code executable when
 * `at` is given: then seeds inherit the mapping), writes the code and becomes its owner. */
int dn_arena_new(int fd, size_t size, uint64_t at, struct dn_arena **ret, struct dn_error *err);
void dn_arena_free(struct dn_arena *a);

/* Gives a stopped thread a slot.  home: the registers it has to go back to when dunlin dies. */
int dn_remote_new(struct dn_arena *a, struct dn_thread *t, bool leader, bool may_go_home, struct dn_error *err);
void dn_remote_free(struct dn_remote *r);

/* Sets the thread to serving its slot: from a ptrace stop, registers and signal mask are replaced. */
int dn_remote_start(struct dn_remote *r, struct dn_error *err);
/* Back into a ptrace stop, all signals still blocked. */
int dn_remote_stop(struct dn_remote *r, struct dn_error *err);

/* For many threads at once: post, then wait for each. */
int dn_batch_post(struct dn_batch *b, struct dn_error *err);
int dn_batch_wait(struct dn_batch *b, struct dn_error *err);

/* Is the mapping memory that dunlin itself put into the process? */
bool dn_arena_owns(const struct dn_process *p, uint64_t start, uint64_t end);
