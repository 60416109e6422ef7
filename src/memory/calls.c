/* SPDX-License-Identifier: BSD-3-Clause */
/* calls.c - many system calls in a seed, batch after batch */
#include <errno.h>

#include "base/log.h"
#include "memory/rebuild.h"

void dn_calls_init(struct dn_calls *c, struct dn_restore *r, size_t i)
{
	size_t count;

	c->remote = r->seeds[i]->threads[0]->remote;
	c->pid = dn_image_processes(r->image, &count)[i].process->pid;
	dn_batch_begin(&c->batch, c->remote);
}

/* The address that the call which failed was about. */
static uint64_t culprit(const struct dn_calls *c)
{
	for (size_t i = 0; i < c->batch.calls; i++) {
		long result = dn_batch_result(&c->batch, i);
		if (result < 0 && result >= -4095 && c->care[i] == DN_CALL_MUST)
			return c->where[i];
	}
	return 0;
}

int dn_calls_run(struct dn_calls *c, struct dn_error *err)
{
	int r = dn_batch_run(&c->batch, err);

	if (r < 0)
		return dn_error_wrap(err, "process %u, memory at 0x%lx", c->pid, culprit(c));
	for (size_t i = 0; i < c->batch.calls; i++) {
		long result = dn_batch_result(&c->batch, i);
		if (c->care[i] == DN_CALL_WARN && result < 0 && result >= -4095)
			dn_warn("process %u, memory at 0x%lx: cannot %s: %s", c->pid, c->where[i], c->batch.what[i],
				strerror((int)-result));
	}
	dn_batch_begin(&c->batch, c->remote);
	return 0;
}

int dn_calls_room(struct dn_calls *c, size_t calls, size_t data, struct dn_error *err)
{
	if (dn_batch_room(&c->batch) >= calls && DN_ALIGN_UP(c->batch.data_used, 16) + data <= DN_LEADER_SLOT_DATA)
		return 0;
	return dn_calls_run(c, err);
}

static int add(struct dn_calls *c, uint64_t where, const char *what, enum dn_call_care care, struct dn_error *err,
	       long nr, const uint64_t args[6])
{
	int r = dn_calls_room(c, 1, 0, err);

	if (r < 0)
		return r;
	size_t i = dn_batch_queue(&c->batch, what, care != DN_CALL_MUST, nr, args);
	c->where[i] = where;
	c->care[i] = care;
	return 0;
}

int dn_calls_add(struct dn_calls *c, uint64_t where, const char *what, struct dn_error *err, long nr,
		 const uint64_t args[6])
{
	return add(c, where, what, DN_CALL_MUST, err, nr, args);
}

int dn_calls_try(struct dn_calls *c, uint64_t where, const char *what, struct dn_error *err, long nr,
		 const uint64_t args[6])
{
	return add(c, where, what, DN_CALL_WARN, err, nr, args);
}

int dn_calls_ignore(struct dn_calls *c, uint64_t where, const char *what, struct dn_error *err, long nr,
		    const uint64_t args[6])
{
	return add(c, where, what, DN_CALL_IGNORE, err, nr, args);
}
