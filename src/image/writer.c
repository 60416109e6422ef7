/* SPDX-License-Identifier: BSD-3-Clause */
/* writer.c - appending records to an image
 *
 * Theory of operation: to a file, every record gets its offset by one atomic addition and is written
 * there by the thread that made it; nothing waits for anything.  To a pipe, records are written one
 * after the other under the lock.  The first failure sticks: later records are not written, and
 * a commit is refused.
 *
 * Page records go around the page cache (O_DIRECT) where target.c found that useful, but not the first
 * 32 MiB of an image.  Measured on ext4, 1 GiB: 1.0 s with O_DIRECT whatever the number of threads;
 * through the page cache 0.6 s where its memory was in use before and 1.7 s where it was not (a virtual
 * machine, where touching new memory is dear).  8 MiB: 12 ms through the cache, 17 ms around it.
 * Preallocation and syncing while writing changed nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/util.h"
#include "image/format.h"
#include "image/quiet.h"
#include "image/target.h"

#define DIRECT_FROM (32u << 20)
#define PIPE_BUFFER (1 << 20)

struct dn_image_writer {
	struct dn_target target;
	int pipe_fd; /* -1: a file */
	bool is_fifo;
	const volatile int *cancel;
	uint64_t image_id;
	_Atomic uint64_t end;	/* where the next record goes */
	_Atomic bool no_direct; /* O_DIRECT turned out not to work */
	_Atomic int failed;	/* -errno of the first failure */
	pthread_mutex_t lock;	/* of what follows; in a pipe, of writing too */
	struct dn_index_entry *index;
	size_t index_count, index_cap;
	uint64_t pages;
};

static const char *name_of(const struct dn_image_writer *w)
{
	return w->pipe_fd >= 0 ? "standard output" : w->target.path;
}

static double mib_of(const struct dn_image_writer *w)
{
	return (double)atomic_load(&w->end) / (1 << 20);
}

static int say_write_failed(struct dn_image_writer *w, int code, struct dn_error *err)
{
	switch (-code) {
	case ENOSPC:
	case EDQUOT:
		return dn_error_say(err, code,
				    "cannot write the image %s: %s after %.1f MiB; free space there or name another "
				    "place",
				    name_of(w), code == -ENOSPC ? "the disk is full" : "the disk quota is used up",
				    mib_of(w));
	case EFBIG:
		return dn_error_say(err, code,
				    "cannot write the image %s: it would exceed the largest size of a file, %.1f MiB "
				    "are there; raise the limit (ulimit -f)",
				    name_of(w), mib_of(w));
	case EPIPE:
		return dn_error_say(err, code,
				    "cannot write the image to standard output: its reader is gone after %.1f MiB",
				    mib_of(w));
	case EINTR: return dn_error_say(err, code, "interrupted: there is no image, the program runs on");
	default: return dn_error_set(err, code, "cannot write the image %s after %.1f MiB", name_of(w), mib_of(w));
	}
}

static int write_file(struct dn_image_writer *w, const void *data, uint64_t len, uint64_t offset, bool bulk)
{
	if (bulk && offset >= DIRECT_FROM && w->target.direct_fd >= 0 && !atomic_load(&w->no_direct)) {
		int r = dn_write_quietly(w->target.direct_fd, data, len, (int64_t)offset);
		if (r != -EINVAL)
			return r;
		atomic_store(&w->no_direct, true);
		dn_debug("%s: no direct I/O here, going on without", w->target.path);
	}
	return dn_write_quietly(w->target.fd, data, len, (int64_t)offset);
}

/* In ascending order. */
static int write_pipe(struct dn_image_writer *w, const void *data, uint64_t len)
{
	return w->is_fifo ? dn_write_pipe_quietly(w->pipe_fd, data, len, w->cancel)
			  : dn_write_quietly(w->pipe_fd, data, len, -1);
}

/* ---- records ---- */

static int push_index(struct dn_image_writer *w, const struct dn_record_header *h)
{
	int r = dn_grow(&w->index, &w->index_cap, w->index_count, sizeof(*w->index));
	if (r < 0)
		return r;
	w->index[w->index_count++] = (struct dn_index_entry){
		.offset = h->offset,
		.owner = h->owner,
		.pages = (uint16_t)h->pages,
		.stage = (uint8_t)h->stage,
		.type = (uint8_t)h->type,
	};
	w->pages += h->pages;
	return 0;
}

/* Appends the record of size bytes at h; its payload's checksum is there, offset and header checksum
 * are not. */
static int append(struct dn_image_writer *w, struct dn_record_header *h, uint64_t size, bool bulk, struct dn_error *err)
{
	int r = atomic_load(&w->failed);

	if (r < 0)
		return dn_error_set(err, r, "the image %s could not be written", name_of(w));
	if (w->cancel && *w->cancel)
		return say_write_failed(w, -EINTR, err);
	h->image_id = w->image_id;
	if (w->pipe_fd >= 0) {
		pthread_mutex_lock(&w->lock);
		h->offset = atomic_fetch_add(&w->end, size);
		dn_record_seal_header(h);
		r = write_pipe(w, h, size);
		if (r >= 0)
			r = push_index(w, h);
		pthread_mutex_unlock(&w->lock);
	} else {
		h->offset = atomic_fetch_add(&w->end, size);
		dn_record_seal_header(h);
		r = write_file(w, h, size, h->offset, bulk);
		pthread_mutex_lock(&w->lock);
		if (r >= 0)
			r = push_index(w, h);
		pthread_mutex_unlock(&w->lock);
	}
	if (r < 0) {
		int none = 0;
		atomic_compare_exchange_strong(&w->failed, &none, r);
		say_write_failed(w, r, err);
	}
	return r;
}

/* A record in memory: header and len bytes of payload, padded with zeroes. */
static struct dn_record_header *record_new(uint32_t type, uint64_t len)
{
	/* calloc, as the padding must be zero. */
	struct dn_record_header *h = calloc(1, dn_record_size(len));

	if (h) {
		h->type = type;
		h->length = len;
	}
	return h;
}

static int append_new(struct dn_image_writer *w, struct dn_record_header *h, struct dn_error *err)
{
	uint64_t size = dn_record_size(h->length);

	h->payload_checksum = dn_checksum(h + 1, size - sizeof(*h));
	return append(w, h, size, false, err);
}

int dn_image_write_message(struct dn_image_writer *w, enum dn_record_type type, const ProtobufCMessage *message,
			   struct dn_error *err)
{
	size_t len = protobuf_c_message_get_packed_size(message);

	if ((atomic_load(&w->end) == DN_BLOCK) != (type == DN_RECORD_INFO))
		return dn_error_say(err, -EINVAL, "an image begins with one info record");
	if (len > DN_MESSAGE_MAX)
		return dn_error_say(err, -E2BIG, "a message record of type %d would have %zu bytes, the most is %u",
				    type, len, DN_MESSAGE_MAX);
	_cleanup_free_ struct dn_record_header *h = record_new(type, len);
	if (!h)
		return dn_error_set(err, -ENOMEM, "cannot write the image %s", name_of(w));
	protobuf_c_message_pack(message, (uint8_t *)(h + 1));
	return append_new(w, h, err);
}

/* ---- page buffers ----
 *
 * One mapping: a block for the runs, two for the head of the record, then the pages: the record that
 * is written lies in one piece, and needs no copy of the pages. */

#define BUFFER_HEAD (3 * DN_BLOCK)
#define BUFFER_SIZE (2ul << 20) /* a huge page */

static_assert(BUFFER_HEAD + DN_CHUNK_PAGES * DN_BLOCK <= BUFFER_SIZE, "the largest record fits");

static_assert(DN_CHUNK_PAGES * sizeof(struct dn_run) <= DN_BLOCK, "all runs fit one block");

int dn_page_buffer_init(struct dn_page_buffer *b, struct dn_error *err)
{
	unsigned char *all =
		mmap(NULL, 2 * BUFFER_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (all == MAP_FAILED)
		return dn_error_set(err, -errno, "cannot have memory for a page buffer");
	unsigned char *p = (unsigned char *)DN_ALIGN_UP((uintptr_t)all, BUFFER_SIZE);
	if (p > all)
		munmap(all, (size_t)(p - all));
	munmap(p + BUFFER_SIZE, (size_t)(all + BUFFER_SIZE - p));
	/* A huge page where there is one: direct I/O in 254 segments of 4 KiB takes 1.4 times as long.  Populated:
	 * a page fault for each page would cost more than to fill it.  Both are only wishes. */
	madvise(p, BUFFER_SIZE, MADV_HUGEPAGE);
	madvise(p, BUFFER_SIZE, MADV_POPULATE_WRITE);
	*b = (struct dn_page_buffer){ .runs = (struct dn_run *)p, .pages = p + BUFFER_HEAD };
	return 0;
}

void dn_page_buffer_finish(struct dn_page_buffer *b)
{
	if (b->pages)
		munmap(b->pages - BUFFER_HEAD, BUFFER_SIZE);
	*b = (struct dn_page_buffer){};
}

int dn_image_write_pages(struct dn_image_writer *w, enum dn_page_stage stage, uint32_t owner, struct dn_page_buffer *b,
			 struct dn_error *err)
{
	if (b->page_count == 0)
		return w->cancel && *w->cancel ? say_write_failed(w, -EINTR, err) : 0;
	if (b->page_count > DN_CHUNK_PAGES || b->run_count == 0 || b->run_count > b->page_count)
		return dn_error_say(err, -EINVAL, "a page buffer with %u pages in %u runs", b->page_count,
				    b->run_count);
	uint32_t head = dn_page_record_head(b->run_count);
	uint64_t size = head + (uint64_t)b->page_count * DN_BLOCK;
	struct dn_record_header *h = (struct dn_record_header *)(b->pages - head);
	memset(h, 0, head);
	memcpy(h + 1, b->runs, b->run_count * sizeof(*b->runs));
	h->type = DN_RECORD_PAGES;
	h->length = size - sizeof(*h);
	h->owner = owner;
	h->stage = stage;
	h->runs = b->run_count;
	h->pages = b->page_count;
	h->payload_checksum = dn_checksum(h + 1, size - sizeof(*h));
	return append(w, h, size, true, err);
}

/* ---- beginning and end ---- */

static int open_pipe(struct dn_image_writer *w, struct dn_error *err)
{
	struct stat st;

	if (fstat(STDOUT_FILENO, &st) < 0)
		return dn_error_set(err, -errno, "cannot write the image to standard output");
	if (isatty(STDOUT_FILENO))
		return dn_error_say(err, -EINVAL,
				    "cannot write the image to standard output, a terminal: redirect it, or name a "
				    "file");
	w->pipe_fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	if (w->pipe_fd < 0)
		return dn_error_set(err, -errno, "cannot write the image to standard output");
	w->is_fifo = S_ISFIFO(st.st_mode);
	if (w->is_fifo)
		fcntl(w->pipe_fd, F_SETPIPE_SZ, PIPE_BUFFER); /* a wish */
	return 0;
}

static int write_file_header(struct dn_image_writer *w, struct dn_error *err)
{
	struct dn_file_header h;

	if (getrandom(&w->image_id, sizeof(w->image_id), 0) != sizeof(w->image_id))
		return dn_error_set(err, -errno, "cannot get random numbers");
	dn_file_header_init(&h, w->image_id);
	int r = w->pipe_fd >= 0 ? write_pipe(w, &h, sizeof(h)) : dn_write_quietly(w->target.fd, &h, sizeof(h), 0);
	if (r < 0)
		return say_write_failed(w, r, err);
	atomic_store(&w->end, sizeof(h));
	return 0;
}

int dn_image_writer_new(const char *path, struct dn_image_writer **ret, struct dn_error *err)
{
	struct dn_image_writer *w = calloc(1, sizeof(*w));

	if (!w)
		return dn_error_set(err, -ENOMEM, "cannot write the image %s", path);
	w->target = (struct dn_target)DN_TARGET_INIT;
	w->pipe_fd = -1;
	pthread_mutex_init(&w->lock, NULL);
	int r = strcmp(path, "-") == 0 ? open_pipe(w, err) : dn_target_create(&w->target, path, err);
	if (r >= 0)
		r = write_file_header(w, err);
	if (r < 0) {
		dn_image_writer_free(w);
		return r;
	}
	*ret = w;
	return 0;
}

void dn_image_writer_cancel(struct dn_image_writer *w, const volatile int *cancel)
{
	w->cancel = cancel;
}

void dn_image_writer_free(struct dn_image_writer *w)
{
	if (!w)
		return;
	dn_target_finish(&w->target);
	dn_cleanup_fd(&w->pipe_fd);
	pthread_mutex_destroy(&w->lock);
	free(w->index);
	free(w);
}

static int by_offset(const void *a, const void *b)
{
	const struct dn_index_entry *x = a, *y = b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Appends the record that lists all others, and fills in what the commit record says of it. */
static int append_index(struct dn_image_writer *w, struct dn_commit *ret, struct dn_error *err)
{
	uint64_t records = w->index_count, pages = w->pages;
	struct dn_record_header *h = record_new(DN_RECORD_INDEX, records * sizeof(*w->index));

	if (!h)
		return dn_error_set(err, -ENOMEM, "cannot write the index of the image %s", name_of(w));
	qsort(w->index, records, sizeof(*w->index), by_offset);
	memcpy(h + 1, w->index, records * sizeof(*w->index));
	int r = append_new(w, h, err);
	if (r >= 0)
		*ret = (struct dn_commit){
			.index_offset = h->offset,
			.index_checksum = h->payload_checksum,
			.records = records,
			.pages = pages,
		};
	free(h);
	return r;
}

/* Appends the record that says that nothing is missing. */
static int append_end(struct dn_image_writer *w, struct dn_error *err)
{
	struct dn_commit commit;
	int r = append_index(w, &commit, err);

	if (r < 0)
		return r;
	struct dn_record_header *h = record_new(DN_RECORD_COMMIT, sizeof(commit));
	if (!h)
		return dn_error_set(err, -ENOMEM, "cannot write the end of the image %s", name_of(w));
	memcpy(h + 1, &commit, sizeof(commit));
	r = append_new(w, h, err);
	free(h);
	return r;
}

int dn_image_commit(struct dn_image_writer *w, struct dn_error *err)
{
	int r = append_end(w, err);

	if (r < 0)
		return r;
	if (w->pipe_fd < 0)
		return dn_target_commit(&w->target, err);
	if (w->is_fifo) {
		/* What is in the pipe only is lost with its reader. */
		r = dn_await_readers(w->pipe_fd, w->cancel);
		return r < 0 ? say_write_failed(w, r, err) : 0;
	}
	/* Standard output may be a file; of a socket, EINVAL is expected. */
	if (fdatasync(w->pipe_fd) < 0 && errno != EINVAL && errno != EROFS && errno != ENOTSUP)
		return dn_error_set(err, -errno, "cannot bring the image on standard output to the disk");
	return 0;
}

uint64_t dn_image_writer_bytes(const struct dn_image_writer *w)
{
	return atomic_load(&w->end);
}

bool dn_image_writer_is_pipe(const struct dn_image_writer *w)
{
	return w->pipe_fd >= 0;
}
