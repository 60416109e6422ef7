/* SPDX-License-Identifier: BSD-3-Clause */
/* around.h - what a process has for dunlin to begin with, and what a killed dunlin has left there */
#pragma once

#include "tracee/tracee.h"

/* What is found by reading /proc/PID/maps once. */
struct dn_surroundings {
	uint64_t syscall_at, sigreturn_at; /* gadgets, 0: none */
	uint64_t stack_start, stack_end;   /* [stack] */
	struct {
		uint64_t start, end;
		bool code;
	} left[8]; /* what a killed dunlin left */
	size_t left_count;
};

/* Of a process whose threads are stopped: p->around. */
int dn_look_around(struct dn_process *p, struct dn_error *err);

/* Threads that a killed dunlin has left are let home.  1: there were some, and what they did meanwhile may have
 * made threads, children, mappings. */
int dn_let_stragglers_home(struct dn_process *p, struct dn_error *err);

/* Of /proc/PID/maps and of the links in /proc/PID/fd. */
bool dn_is_arena_name(const char *name);
