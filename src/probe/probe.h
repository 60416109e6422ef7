/* SPDX-License-Identifier: BSD-3-Clause */
/* probe.h - small programs that prove what dunlin takes for granted about the kernel
 *
 * Theory of operation: each probe does the thing itself, on memory and children of its own, and looks at
 * what came of it.  It runs in a process of its own that is given a few seconds, so that a probe which crashes or
 * hangs is a result too; its children die with it.  `dunlin doctor` prints the results.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define DN_PROBE_DETAIL 256

struct dn_probe {
	const char *name;
	const char *purpose; /* what dunlin needs it for */
	const char *advice;  /* what to do where it is not there */
	bool required;	     /* no checkpoint or no restart without it */
	/* 0: it is as it should be; 1: in part; -errno: not there.  detail (DN_PROBE_DETAIL bytes, "" at first)
	 * says more. */
	int (*run)(char *detail);
};

/* One table for each file here; they end with a NULL name. */
extern const struct dn_probe dn_probes_host[], dn_probes_process[], dn_probes_memory[], dn_probes_files[];

/* detail becomes a text; dn_probe_no appends the reason to it and returns -code. */
void dn_probe_say(char *detail, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int dn_probe_no(char *detail, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* A child that sleeps, after fn(arg) where that is set; it dies with its parent. */
pid_t dn_probe_child(void (*fn)(void *arg), void *arg);
/* Seizes the child and stops it.  0 or -errno. */
int dn_probe_hold(pid_t child);
/* Has a held child run a system call; code is the address, in the child, of a copy of dn_probe_gadget. */
long dn_probe_remote(pid_t child, const void *code, long nr, const unsigned long args[6]);

/* syscall; int3 */
#define DN_PROBE_GADGET_SIZE 3
extern const char dn_probe_gadget[] __attribute__((visibility("hidden")));
