/* SPDX-License-Identifier: BSD-3-Clause */
/* verify.c - reading every byte of an image */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/util.h"
#include "image/image.h"

#define MAX_READERS 4u

struct verify {
	const struct dn_image *image;
	const struct dn_page_chunk *chunks;
	size_t count;
	_Atomic size_t next;
	pthread_mutex_t lock;
	uint64_t failed_offset; /* of the first damaged record in the file, whoever met it first */
	int result;
	struct dn_error err;
};

static void fail(struct verify *v, uint64_t offset, int r, const struct dn_error *err)
{
	pthread_mutex_lock(&v->lock);
	if (v->result >= 0 || offset < v->failed_offset) {
		v->failed_offset = offset;
		v->result = r;
		v->err = *err;
	}
	pthread_mutex_unlock(&v->lock);
	atomic_store(&v->next, v->count); /* no further ones */
}

static void *read_chunks(void *arg)
{
	struct verify *v = arg;
	struct dn_page_buffer b = {};
	struct dn_error err = {};
	int r = dn_page_buffer_init(&b, &err);

	if (r < 0)
		fail(v, 0, r, &err);
	while (r >= 0) {
		size_t i = atomic_fetch_add(&v->next, 1);
		if (i >= v->count)
			break;
		r = dn_image_read_pages(v->image, &v->chunks[i], &b, &err);
		if (r < 0)
			fail(v, v->chunks[i].offset, r, &err);
	}
	dn_page_buffer_finish(&b);
	return NULL;
}

/* Reading and the checksums use all processors: 1 GiB in the page cache takes 0.4 s with one. */
static int verify_pages(const struct dn_image *image, struct dn_error *err)
{
	struct verify v = { .image = image, .lock = PTHREAD_MUTEX_INITIALIZER };
	pthread_t threads[MAX_READERS];
	size_t started = 0;

	v.chunks = dn_image_chunks(image, &v.count);
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	size_t wanted = DN_MIN(DN_MIN(MAX_READERS, v.count / 4), (size_t)DN_MAX(processors, 1));
	while (started + 1 < wanted && pthread_create(&threads[started], NULL, read_chunks, &v) == 0)
		started++;
	read_chunks(&v);
	for (size_t i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	pthread_mutex_destroy(&v.lock);
	if (v.result < 0 && err)
		*err = v.err;
	return v.result;
}

void dn_image_count(const struct dn_image *image, struct dn_stats *stats)
{
	size_t n, chunks;
	const struct dn_image_process *p = dn_image_processes(image, &n);
	const struct dn_page_chunk *c = dn_image_chunks(image, &chunks);

	stats->bytes = dn_image_bytes(image);
	stats->processes = (uint32_t)n;
	stats->threads = stats->mappings = stats->descriptors = 0;
	for (size_t i = 0; i < n; i++) {
		stats->threads += (uint32_t)p[i].thread_count;
		stats->mappings += (uint32_t)p[i].vma_count;
		stats->descriptors += (uint32_t)p[i].process->n_fds;
	}
	stats->pages = 0;
	for (size_t i = 0; i < chunks; i++)
		stats->pages += c[i].pages;
}

int dn_verify(const char *path, struct dn_stats *stats, struct dn_error *err)
{
	struct dn_image *image = NULL;
	uint64_t start = dn_now_ns();

	int r = dn_image_open(path, &image, err);
	if (r >= 0)
		r = verify_pages(image, err);
	if (r >= 0 && stats) {
		*stats = (struct dn_stats){};
		dn_image_count(image, stats);
		stats->total_ns = dn_now_ns() - start;
	}
	dn_image_free(image);
	return r;
}
