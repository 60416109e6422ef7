/* SPDX-License-Identifier: BSD-3-Clause */
/* room.c - a descriptor and a mapping more than a program may have, for a moment
 *
 * A program that has used up its RLIMIT_NOFILE or RLIMIT_AS could not take dunlin's arena in.  Should dunlin be
 * killed in this moment, the program is left with limits that are a little higher.
 */
#include "tracee/room.h"

#include <sys/stat.h>

#include "base/log.h"
#include "base/proc.h"
#include "base/util.h"

static bool raise_limit(const struct dn_process *p, __rlimit_resource_t resource, uint64_t wanted,
			struct rlimit *ret_was)
{
	struct rlimit was, more;

	if (prlimit(p->pid, resource, NULL, &was) < 0 || was.rlim_cur == RLIM_INFINITY || was.rlim_cur >= wanted)
		return false;
	more = (struct rlimit){ wanted, DN_MAX(was.rlim_max, (rlim_t)wanted) };
	if (prlimit(p->pid, resource, &more, NULL) < 0) {
		dn_debug("process %d has used up a limit, which cannot be raised", p->pid);
		return false;
	}
	*ret_was = was;
	return true;
}

/* How many descriptors it has (since Linux 6.2; before, the size of the folder says 0): one number of as many and
 * one more is free. */
static uint64_t count_descriptors(const struct dn_process *p)
{
	char path[32];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/fd", p->pid);
	return stat(path, &st) < 0 ? 0 : (uint64_t)st.st_size;
}

static uint64_t count_memory(const struct dn_process *p)
{
	_cleanup_text_ struct dn_text text = {};

	return dn_read_text(&text, NULL, "/proc/%d/statm", p->pid) < 0 ? 0
								       : strtoull(text.data, NULL, 10) * DN_PAGE_SIZE;
}

void dn_room_make(const struct dn_process *p, size_t bytes, struct dn_room *ret)
{
	struct rlimit memory;

	*ret = (struct dn_room){};
	ret->descriptors.changed = raise_limit(p, RLIMIT_NOFILE, count_descriptors(p) + 1, &ret->descriptors.was);
	/* Hardly any program has this one. */
	if (prlimit(p->pid, RLIMIT_AS, NULL, &memory) == 0 && memory.rlim_cur != RLIM_INFINITY)
		ret->memory.changed = raise_limit(p, RLIMIT_AS, count_memory(p) + bytes, &ret->memory.was);
}

void dn_room_give_back(const struct dn_process *p, struct dn_room *room)
{
	if (room->descriptors.changed)
		prlimit(p->pid, RLIMIT_NOFILE, &room->descriptors.was, NULL);
	if (room->memory.changed)
		prlimit(p->pid, RLIMIT_AS, &room->memory.was, NULL);
	*room = (struct dn_room){};
}
