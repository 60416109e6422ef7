/* SPDX-License-Identifier: BSD-3-Clause */
/* seed.h - seeds: processes that only wait to become what the image says
 *
 * A seed is a clone of dunlin with the right pid (the root; clone3 with set_tid) or a clone of another
 * seed, made by a remote clone3 in the process that is to be its parent.  From its first moment it is
 * traced (with EXITKILL: it dies with dunlin) and serves remote calls; it never runs anything else.
 */
#pragma once

#include "resource/context.h"

/* Finds a hole that no process of the image uses and puts the arena there. */
int dn_seed_prepare(struct dn_restore *r, struct dn_error *err);

/* A child of dunlin itself.  pid 0: any. */
int dn_seed_new(struct dn_restore *r, pid_t pid, struct dn_process **ret, struct dn_error *err);
/* A child of the thread creator, made by it. */
int dn_seed_clone(struct dn_restore *r, struct dn_thread *creator, pid_t pid, int exit_signal, struct dn_process **ret,
		  struct dn_error *err);
/* Removes everything from a seed's address space but the arena. */
int dn_seed_empty(struct dn_restore *r, struct dn_process *seed, struct dn_error *err);
/* All threads but the leader, which is there; nothing if they were made already. */
int dn_seed_threads(struct dn_restore *r, struct dn_process *seed, const struct dn_image_process *image,
		    struct dn_error *err);
/* Puts a seed into a group stop, where it serves on. */
int dn_seed_stop(struct dn_process *seed, int sig, struct dn_error *err);
/* Ends a seed with a wait status; mask: its blocked signals then.  It stays as a
 * zombie for its parent, or for reaper to reap it. */
int dn_seed_end(struct dn_process *seed, int status, uint64_t mask, struct dn_process *reaper, struct dn_error *err);
/* The end of serving, in steps that many seeds take at the same time: all threads stop, the arena is taken
 * away, registers and masks become those of the program; still stopped. */
int dn_seed_request_stop(struct dn_process *seed, struct dn_error *err);
int dn_seed_begin_unmap(struct dn_process *seed, struct dn_error *err);
int dn_seed_middle_unmap(struct dn_process *seed, struct dn_error *err);
int dn_seed_complete(struct dn_restore *r, struct dn_process *seed, const struct dn_image_process *image,
		     struct dn_error *err);
/* EXITKILL off, for all threads; then let go, for all threads. */
int dn_seed_disarm(struct dn_process *seed, struct dn_error *err);
int dn_seed_release(struct dn_process *seed, struct dn_error *err);
/* Kills all seeds and reaps them.  Some may be NULL. */
void dn_seeds_kill(struct dn_process **seeds, size_t n);
/* Kills a seed and waits for its end. */
void dn_seed_kill(struct dn_process *seed);
