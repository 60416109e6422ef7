/* SPDX-License-Identifier: BSD-3-Clause */
/* fill.c - putting pages into seeds from outside, by several threads
 *
 * process_vm_writev puts many runs into another process by one call, and makes the pages that it needs
 * on the way: touching fresh memory from user space costs ten times as much.  It respects protections:
 * the few pages behind a protection that has always been without writing go through /proc/PID/mem.
 */
#include <errno.h>
#include <stdatomic.h>
#include <sys/uio.h>

#include "base/log.h"
#include "memory/rebuild.h"
#include "memory/workers.h"

struct fill {
	struct dn_restore *r;
	const struct dn_page_chunk *chunks;
	const uint32_t *order; /* which of them, in which order */
	size_t count;
	_Atomic size_t next;
	_Atomic uint64_t done;
	uint64_t total; /* pages */
	bool progress;
	pthread_mutex_t lock; /* of opening /proc/PID/mem, and of objects mapped */
};

/* Runs of one chunk on their way into a seed. */
struct batch {
	struct fill *fill;
	struct dn_process *seed;
	struct iovec local[DN_CHUNK_PAGES], remote[DN_CHUNK_PAGES];
	unsigned int count;
	size_t bytes;
};

/* ---- processes ---- */

static int flush(struct batch *b, struct dn_error *err)
{
	if (!b->count)
		return 0;
	ssize_t n = process_vm_writev(b->seed->pid, b->local, b->count, b->remote, b->count, 0);
	if (n < 0)
		return dn_error_set(err, -errno, "cannot fill memory of process %d at %p", b->seed->pid,
				    b->remote[0].iov_base);
	/* It stops where a page cannot be had: at its address, and without memory, there is no other word. */
	for (unsigned int i = 0; i < b->count && (size_t)n < b->bytes; i++) {
		if ((size_t)n < b->remote[i].iov_len)
			return dn_error_say(
				err, -ENOMEM,
				"cannot fill memory of process %d at %p: not enough memory, or no right to write",
				b->seed->pid, (char *)b->remote[i].iov_base + n);
		n -= (ssize_t)b->remote[i].iov_len;
		b->bytes -= b->remote[i].iov_len;
	}
	b->count = 0;
	b->bytes = 0;
	return 0;
}

static int fill_by_mem(struct batch *b, uint64_t addr, const void *data, size_t len, struct dn_error *err)
{
	pthread_mutex_lock(&b->fill->lock); /* it is opened on demand */
	int fd = dn_process_mem(b->seed, err);
	pthread_mutex_unlock(&b->fill->lock);
	if (fd < 0)
		return fd;
	int r = dn_pwrite_full(fd, data, len, (off_t)addr);
	return r < 0 ? dn_error_set(err, r, "cannot fill memory of process %d at 0x%lx", b->seed->pid, addr) : 0;
}

static int fill_run(struct batch *b, const struct dn_image_process *p, const struct dn_run *run, unsigned char *data,
		    struct dn_error *err)
{
	uint64_t at = run->addr, end = run->addr + run->pages * DN_PAGE_SIZE;
	int r = 0;

	for (size_t i = dn_rebuild_find(p, at); at < end && r >= 0; i++) {
		if (i == p->vma_count || p->vmas[i]->start > at || !dn_vma_private(p->vmas[i]))
			return dn_error_say(
				err, -EBADMSG,
				"the image makes no sense: it has a page at 0x%lx, where process %u has no memory "
				"of its own",
				at, p->process->pid);
		size_t len = DN_MIN(end, p->vmas[i]->end) - at;
		if (dn_vma_fill_prot(p->vmas[i]) & PROT_WRITE) {
			b->local[b->count] = (struct iovec){ data, len };
			b->remote[b->count++] = (struct iovec){ (void *)(uintptr_t)at, len };
			b->bytes += len;
		} else {
			r = fill_by_mem(b, at, data, len, err);
		}
		at += len;
		data += len;
	}
	return r;
}

static int fill_process(struct fill *f, const struct dn_page_chunk *chunk, const struct dn_page_buffer *pages,
			struct dn_error *err)
{
	size_t count, i = dn_rebuild_index(f->r, chunk->owner);
	struct dn_image_process *all = dn_image_processes(f->r->image, &count);
	unsigned char *data = pages->pages;

	if (i == DN_NO_PARENT || !f->r->seeds[i])
		return dn_error_say(err, -EBADMSG, "there are pages of process %u, which is not there", chunk->owner);
	struct batch b = { .fill = f, .seed = f->r->seeds[i] };
	for (unsigned int k = 0; k < pages->run_count; k++) {
		int r = fill_run(&b, &all[i], &pages->runs[k], data, err);
		if (r < 0)
			return r;
		data += pages->runs[k].pages * DN_PAGE_SIZE;
	}
	return flush(&b, err);
}

/* ---- objects ---- */

/* Files of huge pages cannot be written, only mapped. */
static int fill_huge(int fd, const Dn__Object *o, uint64_t offset, const void *data, size_t len, struct dn_error *err)
{
	uint64_t huge = 1ull << o->huge_shift, start = DN_ALIGN_DOWN(offset, huge);
	size_t size = DN_ALIGN_UP(offset + len, huge) - start;
	char *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)start);

	if (map == MAP_FAILED)
		return dn_error_set(err, -errno, "cannot map huge pages of %s: are enough of them free?", o->name);
	memcpy(map + (offset - start), data, len);
	munmap(map, size);
	return 0;
}

static int fill_object(struct fill *f, const struct dn_page_chunk *chunk, const struct dn_page_buffer *pages,
		       struct dn_error *err)
{
	const Dn__Object *o = dn_image_object(f->r->image, chunk->owner);
	const unsigned char *data = pages->pages;

	if (!o)
		return dn_error_say(err, -EBADMSG, "there are pages of object %u, which is not in the image",
				    chunk->owner);
	int fd = dn_objects_descriptor(f->r, o->id);
	if (fd == -ESTALE) /* it lives on, with content of its own */
		return 0;
	if (fd < 0)
		return dn_error_set(err, fd, "cannot open %s to fill it", o->name);
	for (unsigned int i = 0; i < pages->run_count; i++) {
		uint64_t offset = pages->runs[i].addr, len = pages->runs[i].pages * DN_PAGE_SIZE;
		if (offset >= o->size)
			return dn_error_say(err, -EBADMSG,
					    "the image makes no sense: it has a page behind the end of %s", o->name);
		size_t inside = DN_MIN(len, o->size - offset);
		int r = o->huge_shift ? fill_huge(fd, o, offset, data, inside, err)
				      : dn_pwrite_full(fd, data, inside, (off_t)offset);
		if (r < 0)
			return o->huge_shift ? r : dn_error_set(err, r, "cannot fill %s", o->name);
		data += len;
	}
	return 0;
}

/* ---- workers ---- */

static int fill_chunks(struct fill *f, struct dn_worker *w, struct dn_page_buffer *b, struct dn_error *err)
{
	while (!dn_workers_stopped(w)) {
		size_t i = atomic_fetch_add(&f->next, 1);
		if (i >= f->count)
			return 0;
		const struct dn_page_chunk *chunk = &f->chunks[f->order[i]];
		int r = dn_image_read_pages(f->r->image, chunk, b, err);
		if (r >= 0)
			r = chunk->stage == DN_PAGES_OBJECT ? fill_object(f, chunk, b, err)
							    : fill_process(f, chunk, b, err);
		if (r < 0)
			return r;
		uint64_t done = atomic_fetch_add(&f->done, chunk->pages) + chunk->pages;
		if (f->progress && w->index == 0)
			f->r->options->progress("memory", done * DN_PAGE_SIZE, f->total * DN_PAGE_SIZE,
						f->r->options->progress_arg);
	}
	return 0;
}

static int work(struct dn_worker *w, struct dn_error *err)
{
	struct fill *f = w->arg;
	struct dn_page_buffer own = {};

	/* The caller's thread has one that stays. */
	if (w->index == 0)
		return fill_chunks(f, w, &f->r->memory->buffer, err);
	int r = dn_page_buffer_init(&own, err);
	if (r >= 0)
		r = fill_chunks(f, w, &own, err);
	dn_page_buffer_finish(&own);
	return r;
}

static int fill(struct dn_restore *r, size_t from, size_t to, bool progress, struct dn_error *err)
{
	struct dn_memory_restore *m = r->memory;
	size_t count;
	struct fill f = {
		.r = r,
		.chunks = dn_image_chunks(r->image, &count),
		.order = m->order + from,
		.count = to - from,
		.progress = progress && r->options && r->options->progress,
		.lock = PTHREAD_MUTEX_INITIALIZER,
	};

	if (from == to)
		return 0;
	for (size_t i = 0; i < f.count; i++)
		f.total += f.chunks[f.order[i]].pages;
	if (!m->has_buffer) {
		int k = dn_page_buffer_init(&m->buffer, err);
		if (k < 0)
			return k;
		m->has_buffer = true;
	}
	unsigned int wanted = r->options ? r->options->workers : 0;
	return dn_workers_run(dn_workers_count(wanted, f.total * DN_PAGE_SIZE), work, &f, err);
}

int dn_memory_fill_common(struct dn_restore *r, size_t i, struct dn_error *err)
{
	return fill(r, r->memory->common[i], r->memory->common[i + 1], false, err);
}

int dn_memory_fill_rest(struct dn_restore *r, struct dn_error *err)
{
	struct dn_memory_restore *m = r->memory;

	int k = fill(r, m->common[m->count], m->chunk_count, true, err);
	if (k == 0 && r->options && r->options->progress)
		r->options->progress("memory", 1, 1, r->options->progress_arg);
	if (m->has_buffer)
		dn_page_buffer_finish(&m->buffer);
	m->has_buffer = false;
	return k;
}
