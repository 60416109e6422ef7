/* SPDX-License-Identifier: BSD-3-Clause */
/* dunlin.h - the library: checkpoint and restart running programs
 *
 * No function here prints or ends the caller.  All return 0 or a negative errno and fill *err (which
 * may be NULL).  Times are nanoseconds, sizes bytes.  Options structs start with their own size, so
 * that later versions can grow them: set them up with the DN_*_OPTIONS_INIT macros.
 * Not thread safe: one operation at a time per process (operations start threads of their own).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How a command ends; the numbers are the exit statuses of dunlin(1). */
enum dn_outcome {
	DN_OUTCOME_FAILED = 1,	/* something went wrong; the text says what */
	DN_OUTCOME_USAGE = 2,	/* the caller asked for something senseless */
	DN_OUTCOME_REFUSED = 3, /* the program uses something that cannot be captured */
};

#define DN_ERROR_TEXT_MAX 1024

/* What went wrong.  Start with all zeroes. */
struct dn_error {
	enum dn_outcome outcome;
	int code;		      /* -errno of the innermost failure, 0 if none */
	char text[DN_ERROR_TEXT_MAX]; /* one sentence, no newline, "" if none */
};

/* What an operation did, for --stats. */
struct dn_stats {
	uint64_t total_ns, frozen_ns;
	uint64_t hold_ns, state_ns, pages_ns, commit_ns;  /* checkpoint */
	uint64_t check_ns, create_ns, fill_ns, finish_ns; /* restart */
	uint64_t bytes;					  /* of the image */
	uint64_t pages, zero_pages, shared_pages;	  /* stored; left out; stored once for parent and child */
	uint32_t processes, threads, mappings, descriptors;
};

typedef void dn_progress_fn(const char *phase, uint64_t done, uint64_t total, void *arg);

struct dn_checkpoint_options {
	size_t size;
	bool kill;		      /* end the tree once the image is safe */
	unsigned int workers;	      /* threads that copy pages; 0: one per processor, at most 4 */
	unsigned int hold_timeout_ms; /* how long to wait for a thread to stop */
	dn_progress_fn *progress;
	void *progress_arg;
	struct dn_stats *stats;
	const volatile int *cancel; /* set to non-zero (by a signal handler, say): give up, with -EINTR */
};
#define DN_CHECKPOINT_OPTIONS_INIT                                                                                     \
	{                                                                                                              \
		.size = sizeof(struct dn_checkpoint_options), .hold_timeout_ms = 10000                                 \
	}

/* Captures pid and all processes below it into the file image ("-": standard output).  The program runs
 * on exactly as before, also after any failure, unless kill is set and 0 is returned. */
int dn_checkpoint(pid_t pid, const char *image, const struct dn_checkpoint_options *options, struct dn_error *err);

struct dn_restart_options {
	size_t size;
	bool detach;	     /* the caller will not wait for the root: own session for outside ones */
	bool rollback_files; /* cut files that grew since the checkpoint back */
	unsigned int workers;
	dn_progress_fn *progress;
	void *progress_arg;
	struct dn_stats *stats;
};
#define DN_RESTART_OPTIONS_INIT                                                                                        \
	{                                                                                                              \
		.size = sizeof(struct dn_restart_options)                                                              \
	}

/* Brings the tree in image back ("-": standard input) as a child of the caller and lets it run;
 * *ret_pid is its root.  On failure nothing is left behind.  Without detach, and if the caller is in the
 * foreground of its terminal and not in a pipeline, the program is afterwards (tcsetpgrp), as with a shell. */
int dn_restart(const char *image, const struct dn_restart_options *options, pid_t *ret_pid, struct dn_error *err);

/* Reads every byte of an image and checks it; starts nothing. */
int dn_verify(const char *image, struct dn_stats *stats, struct dn_error *err);

/* Writes what is in an image to out: as text, or as JSON. */
int dn_inspect(const char *image, bool json, FILE *out, struct dn_error *err);

/* One fact about this host that dunlin relies on. */
enum dn_doctor_state { DN_DOCTOR_OK, DN_DOCTOR_DEGRADED, DN_DOCTOR_MISSING };

struct dn_doctor_result {
	const char *name;
	const char *purpose; /* what dunlin needs it for */
	const char *advice;  /* what to do where the state is not DN_DOCTOR_OK */
	enum dn_doctor_state state;
	char detail[256];
};

/* Proves kernel features by using them; calls fn for each.  Returns how many are missing. */
int dn_doctor(void (*fn)(const struct dn_doctor_result *result, void *arg), void *arg);

/* Lines beside errors: level 0 warning, 1 information, 2 details. */
void dn_set_log(void (*fn)(int level, const char *line, void *arg), void *arg);

const char *dn_version(void);

#ifdef __cplusplus
}
#endif
