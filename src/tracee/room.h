/* SPDX-License-Identifier: BSD-3-Clause */
/* room.h - a descriptor and a mapping more than a program may have, for a moment */
#pragma once

#include <stdbool.h>
#include <sys/resource.h>

#include "tracee/tracee.h"

struct dn_room {
	struct {
		struct rlimit was;
		bool changed;
	} descriptors, memory;
};

/* Raises the limits of a held process as far as is needed for one descriptor and `bytes` of address space more;
 * where that is not allowed, nothing is changed. */
void dn_room_make(const struct dn_process *p, size_t bytes, struct dn_room *ret);
/* They are as before. */
void dn_room_give_back(const struct dn_process *p, struct dn_room *room);
