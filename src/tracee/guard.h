/* SPDX-License-Identifier: BSD-3-Clause */
/* guard.h - all processes or none, should dunlin be killed while it ends them or lets them go */
#pragma once

#include "tracee/tracee.h"

/* A child of dunlin.  Once armed it kills the processes when dunlin dies. */
struct dn_guard {
	pid_t pid; /* 0: none */
	int pipe;
};
#define DN_GUARD_INIT                                                                                                  \
	{                                                                                                              \
		.pipe = -1                                                                                             \
	}

/* Not armed yet.  The processes must stay as they are until the end. */
int dn_guard_start(struct dn_guard *g, struct dn_process **p, size_t n, struct dn_error *err);
int dn_guard_arm(struct dn_guard *g, struct dn_error *err);
/* The guard goes, and kills nobody. */
void dn_guard_end(struct dn_guard *g);
