/* SPDX-License-Identifier: BSD-3-Clause */
/* task_pair.h - a process whose attributes are captured, and another that gets them
 *
 * Both are children of the test with the same threads; the drivers work on them as they do on a
 * program, by ptrace and remote system calls.  All signals are blocked in both.
 */
#pragma once

#include <stdbool.h>

#include "resource/context.h"

#define PAIR_THREADS 4 /* at most */

/* What a subject does before it is captured; runs in each of its threads (thread 0: the leader). */
typedef void pair_setup(int thread);

struct pair_subject {
	pid_t pid;
	int threads;
};

/* What is said about one process, as if it came out of an image. */
struct pair_state {
	Dn__Process *process;
	Dn__Thread *threads[PAIR_THREADS];
	int thread_count;
};

/* What a seed does at its start, if it is not NULL. */
extern pair_setup *pair_seed_setup;

/* setup NULL: a seed, with nothing that its parent registered for it. */
void pair_start(struct pair_subject *s, int threads, pair_setup *setup);
void pair_end(struct pair_subject *s);
/* Those that failed tests left. */
void pair_end_all(void);
pid_t pair_tid(const struct pair_subject *s, int thread);

/* Both take hold of the subject and let it go again. */
void pair_capture(const struct pair_subject *s, struct pair_state *ret);
/* -errno as the drivers return it. */
int pair_look(const struct pair_subject *s, struct dn_error *err);
int pair_restore(const struct pair_subject *s, const struct pair_state *state, struct dn_error *err);
void pair_free(struct pair_state *state);

/* Says what differs.  Times that pass are compared by whether they are there. */
void pair_assert_equal(const struct pair_state *a, const struct pair_state *b);

/* The whole way: set up, capture, restore into a fresh process, capture that, compare. */
void pair_check(int threads, pair_setup *setup);
