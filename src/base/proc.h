/* SPDX-License-Identifier: BSD-3-Clause */
/* proc.h - reading /proc */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

/* A text that was read whole; data ends with a NUL that len does not count. */
struct dn_text {
	char *data;
	size_t len;
	size_t cap;
};

void dn_text_finish(struct dn_text *t);
#define _cleanup_text_ __attribute__((cleanup(dn_text_finish)))

/* Reads the file at a formatted path (usually below /proc) whole into t, replacing what was there
 * and reusing its memory.  -errno without touching err's text is never returned: err is set. */
int dn_read_text(struct dn_text *t, struct dn_error *err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The value behind "key:" at the start of a line of a /proc/PID/status like text, blanks skipped;
 * NULL if there is none.  Ends at the newline, not at a NUL. */
const char *dn_text_field(const struct dn_text *t, const char *key);

#define DN_PF_KTHREAD 0x00200000u /* the kernel's PF_KTHREAD */

/* /proc/PID/stat (of a thread: /proc/PID/task/TID/stat), the fields that are used here. */
struct dn_stat {
	char comm[64];
	char state;
	pid_t ppid, pgrp, sid;
	int tty_nr, exit_signal;
	pid_t tpgid;	     /* foreground process group of its terminal; -1: none */
	unsigned int flags;  /* PF_*: DN_PF_KTHREAD */
	uint64_t start_time; /* clock ticks since boot: with the pid, names a process for good */
	unsigned int num_threads;
	uint64_t start_code, end_code, start_stack;
	uint64_t start_data, end_data, start_brk, arg_start, arg_end, env_start, env_end;
	int processor; /* it ran on last */
	int exit_code; /* wait status; 0 without ptrace access */
};

int dn_stat_read(pid_t pid, pid_t tid, struct dn_stat *ret, struct dn_error *err);
/* Parses the text of such a file; -EINVAL if it is not one. */
int dn_stat_parse(const char *text, struct dn_stat *ret);
