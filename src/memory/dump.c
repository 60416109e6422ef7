/* SPDX-License-Identifier: BSD-3-Clause */
/* dump.c - copying pages out: several threads, each taking a record's worth of pages at a time
 *
 * process_vm_readv copies many runs in one call.  It stops where a page may not be read by the process
 * itself, and it gives the process its own copy of a page that it shares with others since fork (it pins
 * pages, and a pinned page is no longer copied on write; Linux 5.19): slow, and the program would need
 * more memory than before.  Such pages are read through /proc/PID/mem.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "base/util.h"
#include "memory/source.h"
#include "memory/workers.h"

struct dump {
	struct dn_capture *c;
	pthread_mutex_t lock; /* of source, and of opening /proc/PID/mem */
	struct dn_source source;
	bool ended;
	_Atomic uint64_t pages, zero_pages, done;
	uint64_t total; /* bytes, roughly */
};

/* ---- reading ---- */

static int read_by_mem(struct dump *d, struct dn_process *p, const struct dn_piece *piece, uint64_t skip,
		       unsigned char *to, struct dn_error *err)
{
	uint64_t from = piece->from + skip, len = piece->pages * DN_PAGE_SIZE - skip;

	pthread_mutex_lock(&d->lock); /* it is opened on demand */
	int fd = dn_process_mem(p, err);
	pthread_mutex_unlock(&d->lock);
	if (fd < 0)
		return fd;
	ssize_t n = dn_pread_full(fd, to, len, (off_t)from);
	if (n >= 0 && (uint64_t)n < len)
		return dn_error_say(err, -EIO, "cannot read the memory of process %d at 0x%lx", p->pid,
				    from + (uint64_t)n);
	return n < 0 ? dn_error_set(err, (int)n, "cannot read the memory of process %d at 0x%lx", p->pid, from) : 0;
}

/* Reads pieces [first, chunk->pieces) as far as one call goes; returns how many were read whole, and adds
 * their bytes to *at. */
static int read_pieces(struct dump *d, const struct dn_chunk *chunk, unsigned int first, unsigned char *pages,
		       uint64_t *at, struct dn_error *err)
{
	struct iovec local = { .iov_base = pages + *at }, remote[DN_CHUNK_PAGES];
	unsigned int n = 0;

	while (first + n < chunk->pieces && !chunk->piece[first + n].by_mem) {
		const struct dn_piece *piece = &chunk->piece[first + n];
		remote[n++] = (struct iovec){ (void *)(uintptr_t)piece->from, piece->pages * DN_PAGE_SIZE };
		local.iov_len += piece->pages * DN_PAGE_SIZE;
	}
	ssize_t got = n ? process_vm_readv(chunk->process->pid, &local, 1, remote, n, 0) : 0;
	uint64_t left = got < 0 ? 0 : (uint64_t)got;
	for (unsigned int i = 0; i < n && left >= remote[i].iov_len; i++) {
		left -= remote[i].iov_len;
		*at += remote[i].iov_len;
		first++;
	}
	if (first == chunk->pieces)
		return (int)first;
	/* This one was not read, or only its beginning. */
	const struct dn_piece *piece = &chunk->piece[first];
	left = DN_ALIGN_DOWN(left, DN_PAGE_SIZE);
	int r = read_by_mem(d, chunk->process, piece, left, pages + *at + left, err);
	if (r < 0)
		return r;
	*at += piece->pages * DN_PAGE_SIZE;
	return (int)first + 1;
}

static int read_process(struct dump *d, const struct dn_chunk *chunk, unsigned char *pages, struct dn_error *err)
{
	uint64_t at = 0;

	for (int i = 0; (unsigned int)i < chunk->pieces;) {
		i = read_pieces(d, chunk, (unsigned int)i, pages, &at, err);
		if (i < 0)
			return i;
	}
	return 0;
}

static int read_object(const struct dn_chunk *chunk, unsigned char *pages, struct dn_error *err)
{
	for (unsigned int i = 0; i < chunk->pieces; i++) {
		size_t len = chunk->piece[i].pages * DN_PAGE_SIZE;
		ssize_t n = dn_pread_full(chunk->object->fd, pages, len, (off_t)chunk->piece[i].from);
		if (n < 0)
			return dn_error_set(err, (int)n, "cannot read the content of %s", chunk->object->message.name);
		memset(pages + n, 0, len - (size_t)n); /* behind the end of the file */
		pages += len;
	}
	return 0;
}

/* ---- leaving out zeroes ---- */

static bool is_zero(const unsigned char *page)
{
	const uint64_t *words = (const uint64_t *)page;

	/* Nearly always decided by the first words. */
	return !(words[0] | words[1] | words[2] | words[3]) && !memcmp(page, page + 32, DN_PAGE_SIZE - 32);
}

static void put_page(struct dn_page_buffer *b, uint64_t addr)
{
	struct dn_run *last = b->run_count ? &b->runs[b->run_count - 1] : NULL;

	if (last && last->addr + last->pages * DN_PAGE_SIZE == addr)
		last->pages++;
	else
		b->runs[b->run_count++] = (struct dn_run){ .addr = addr, .pages = 1 };
	b->page_count++;
}

/* Turns pieces into runs, and closes the gaps that pages of zeroes leave. */
static unsigned int squeeze(const struct dn_chunk *chunk, struct dn_page_buffer *b)
{
	const unsigned char *from = b->pages;
	unsigned int zeroes = 0;

	b->run_count = b->page_count = 0;
	for (unsigned int i = 0; i < chunk->pieces; i++) {
		const struct dn_piece *piece = &chunk->piece[i];
		for (unsigned int k = 0; k < piece->pages; k++, from += DN_PAGE_SIZE) {
			if (!piece->exact && is_zero(from)) {
				zeroes++;
				continue;
			}
			unsigned char *to = b->pages + b->page_count * DN_PAGE_SIZE;
			if (to != from)
				memcpy(to, from, DN_PAGE_SIZE);
			put_page(b, piece->addr + k * DN_PAGE_SIZE);
		}
	}
	return zeroes;
}

/* ---- workers ---- */

static int dump_chunk(struct dump *d, const struct dn_chunk *chunk, struct dn_page_buffer *b, struct dn_error *err)
{
	int r = chunk->process ? read_process(d, chunk, b->pages, err) : read_object(chunk, b->pages, err);

	if (r < 0)
		return r;
	unsigned int zeroes = squeeze(chunk, b);
	r = dn_image_write_pages(d->c->writer, chunk->stage, chunk->owner, b, err);
	atomic_fetch_add(&d->pages, chunk->pages - zeroes);
	atomic_fetch_add(&d->zero_pages, zeroes);
	atomic_fetch_add(&d->done, chunk->pages * DN_PAGE_SIZE);
	return r;
}

static int take_chunk(struct dump *d, struct dn_chunk *chunk, struct dn_error *err)
{
	pthread_mutex_lock(&d->lock);
	int r = d->ended ? 0 : dn_source_next(&d->source, chunk, err);
	if (r <= 0)
		d->ended = true;
	pthread_mutex_unlock(&d->lock);
	return r;
}

static int work(struct dn_worker *w, struct dn_error *err)
{
	struct dump *d = w->arg;
	struct dn_chunk *chunk = malloc(sizeof(*chunk));
	struct dn_page_buffer b = {};
	int r = chunk ? dn_page_buffer_init(&b, err) : dn_error_set(err, -ENOMEM, "cannot copy pages");

	while (r >= 0 && !dn_workers_stopped(w)) {
		r = take_chunk(d, chunk, err);
		if (r <= 0)
			break;
		r = dump_chunk(d, chunk, &b, err);
		if (w->index == 0 && d->c->options && d->c->options->progress)
			d->c->options->progress("memory", DN_MIN(atomic_load(&d->done), d->total), d->total,
						d->c->options->progress_arg);
	}
	free(chunk);
	dn_page_buffer_finish(&b);
	return r;
}

static uint64_t estimate(struct dn_capture *c)
{
	uint64_t total = 0;
	size_t count;
	struct dn_object *objects = dn_objects(c, &count);

	for (size_t i = 0; i < count; i++) {
		struct stat st;
		bool known = objects[i].fd >= 0 && fstat(objects[i].fd, &st) == 0;
		total += known ? (uint64_t)st.st_blocks * 512 : objects[i].message.size;
	}
	for (size_t i = 0; c->memory && i < c->memory->count; i++)
		total += c->memory->spaces[i]->bytes;
	return total;
}

int dn_memory_write_pages(struct dn_capture *c, struct dn_error *err)
{
	struct dump d = { .c = c, .lock = PTHREAD_MUTEX_INITIALIZER, .total = estimate(c) };
	unsigned int wanted = c->options ? c->options->workers : 0;

	dn_source_init(&d.source, c);
	int r = dn_workers_run(dn_workers_count(wanted, d.total), work, &d, err);
	dn_source_finish(&d.source);
	if (r < 0)
		return r;
	if (c->options && c->options->stats) {
		c->options->stats->pages += d.pages;
		c->options->stats->zero_pages += d.zero_pages;
		c->options->stats->shared_pages += c->memory ? c->memory->shared_pages : 0;
	}
	return 0;
}
