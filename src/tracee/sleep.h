/* SPDX-License-Identifier: BSD-3-Clause */
/* sleep.h - how long a thread has been asleep in a timed system call */
#pragma once

#include "tracee/tracee.h"

/* Before the stop: notes for each thread that is in a timed call since when, as far as that shows. */
void dn_sleep_look(struct dn_process *p);
/* After it (t->held_at is set): t->asleep_ns, if the thread did not run in between. */
void dn_sleep_settle(struct dn_thread *t);
/* Once t->remaining_ns is known: puts back what the kernel has overwritten with it. */
void dn_sleep_hide_rest(struct dn_thread *t);
