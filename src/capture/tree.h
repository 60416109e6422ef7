/* SPDX-License-Identifier: BSD-3-Clause */
/* tree.h - finding and holding a process tree */
#pragma once

#include "resource/context.h"
#include "tracee/guard.h"

/* Holds root and everything below it: c->processes, parents before children.  Refuses by name what cannot
 * be captured, as far as that shows from outside.  On failure what was held stays in c for the release. */
int dn_tree_hold(struct dn_capture *c, pid_t root, struct dn_error *err);

/* Ends all processes, which are held, and waits until they are gone (bounded; warns if they are not). */
int dn_tree_kill(struct dn_capture *c, struct dn_guard *guard, struct dn_error *err);
