/* SPDX-License-Identifier: BSD-3-Clause */
/* image.h - writing and reading dunlin images
 *
 * Theory of operation: see IMAGE-FORMAT.md for the grammar.  An image is a file header and a chain of
 * records, each with a type, a length and an XXH3 checksum, each padded to 4096 bytes; it ends with an
 * index (where which record is) and a commit record.  Message records carry protobuf messages, page
 * records carry runs of pages.  A writer appends to a file (many threads at once, each record at an
 * offset of its own) or to a pipe (one after the other).  A reader works on a seekable file; what
 * comes through a pipe is first spooled to an unlinked one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "image/image.pb-c.h"

enum dn_record_type {
	DN_RECORD_INFO = 1,    /* ImageInfo, first */
	DN_RECORD_FILES = 2,   /* Files */
	DN_RECORD_PIPES = 3,   /* Pipes */
	DN_RECORD_OBJECTS = 4, /* Objects */
	DN_RECORD_PROCESS = 5, /* Process; parents come before their children */
	DN_RECORD_VMAS = 6,    /* Vmas of one process, sorted; may be split over several records */
	DN_RECORD_THREADS = 7, /* Threads of one process, the leader first; may be split */
	DN_RECORD_PAGES = 8,   /* struct dn_page_header, runs, pages */
	DN_RECORD_INDEX = 9,
	DN_RECORD_COMMIT = 10,
};

/* Which pages a page record holds. */
enum dn_page_stage {
	DN_PAGES_COMMON = 0, /* of a process, also used by its children: filled before they are cloned */
	DN_PAGES_OWN = 1,    /* of a process, all the others */
	DN_PAGES_OBJECT = 2, /* of an Object */
};

#define DN_CHUNK_PAGES 256u /* most pages in one page record: 1 MiB */

/* A run of consecutive pages.  addr is a virtual address, or an offset within an object; page aligned. */
struct dn_run {
	uint64_t addr;
	uint64_t pages;
};

/* ---- writing ---- */

struct dn_image_writer;

/* path "-": standard output.  Otherwise a temporary file next to path, mode 0600.  mkdir is not done. */
int dn_image_writer_new(const char *path, struct dn_image_writer **ret, struct dn_error *err);
/* Once *cancel is set, whatever is written fails with -EINTR, soon.  NULL: never. */
void dn_image_writer_cancel(struct dn_image_writer *w, const volatile int *cancel);
/* Abandons the image if it was not committed: the temporary file is removed.  NULL is fine. */
void dn_image_writer_free(struct dn_image_writer *w);

/* Packs and appends one message record. */
int dn_image_write_message(struct dn_image_writer *w, enum dn_record_type type, const ProtobufCMessage *message,
			   struct dn_error *err);

/* A page buffer: where a worker thread puts pages before they become a record.  Aligned, warmed. */
struct dn_page_buffer {
	unsigned char *pages; /* room for DN_CHUNK_PAGES pages, page aligned */
	struct dn_run *runs;  /* room for DN_CHUNK_PAGES runs */
	unsigned int run_count;
	unsigned int page_count; /* pages filled, in run order without gaps */
};

int dn_page_buffer_init(struct dn_page_buffer *b, struct dn_error *err);
void dn_page_buffer_finish(struct dn_page_buffer *b);

/* Appends one page record (nothing if page_count is 0).  owner: pid or object id.  Thread safe; each
 * thread uses its own buffer.  All-zero pages were removed by the caller. */
int dn_image_write_pages(struct dn_image_writer *w, enum dn_page_stage stage, uint32_t owner, struct dn_page_buffer *b,
			 struct dn_error *err);

/* Index, commit record, sync, rename to the final name, sync of the folder.  Of a pipe: all of it was read. */
int dn_image_commit(struct dn_image_writer *w, struct dn_error *err);

uint64_t dn_image_writer_bytes(const struct dn_image_writer *w); /* written so far */
bool dn_image_writer_is_pipe(const struct dn_image_writer *w);

/* ---- reading ---- */

struct dn_image;

/* Where a page record is. */
struct dn_page_chunk {
	uint64_t offset; /* of the record in the file */
	uint32_t owner;
	uint32_t stage; /* enum dn_page_stage */
	uint32_t pages;
	uint32_t blocks; /* of the whole record, 4096 bytes each */
};

/* Opens path ("-": standard input, spooled), and checks header, commit record, index and all message
 * records (checksums, lengths, order, cross references of ids).  Page records are checked when read. */
int dn_image_open(const char *path, struct dn_image **ret, struct dn_error *err);
void dn_image_free(struct dn_image *image);

const Dn__ImageInfo *dn_image_info(const struct dn_image *image);
/* All of one kind, joined over their records.  Owned by the image. */
Dn__File **dn_image_files(const struct dn_image *image, size_t *ret_count);
Dn__Pipe **dn_image_pipes(const struct dn_image *image, size_t *ret_count);
Dn__Object **dn_image_objects(const struct dn_image *image, size_t *ret_count);

struct dn_image_process {
	Dn__Process *process;
	Dn__Vma **vmas;
	size_t vma_count;
	Dn__Thread **threads;
	size_t thread_count;
};

struct dn_image_process *dn_image_processes(const struct dn_image *image, size_t *ret_count);
/* Page records in file order. */
const struct dn_page_chunk *dn_image_chunks(const struct dn_image *image, size_t *ret_count);

/* Sets bytes and pages, and how many processes, threads, mappings and descriptors there are. */
void dn_image_count(const struct dn_image *image, struct dn_stats *stats);

/* Reads one page record into b and verifies checksum, owner, stage, run count and page count; every
 * run is page aligned and does not wrap.  Thread safe, one buffer per thread. */
int dn_image_read_pages(const struct dn_image *image, const struct dn_page_chunk *chunk, struct dn_page_buffer *b,
			struct dn_error *err);

/* File.id, Object.id, Pipe.id -> message; NULL if there is none. */
Dn__File *dn_image_file(const struct dn_image *image, uint32_t id);
Dn__Object *dn_image_object(const struct dn_image *image, uint32_t id);
Dn__Pipe *dn_image_pipe(const struct dn_image *image, uint32_t id);

uint64_t dn_image_bytes(const struct dn_image *image); /* size of the file */
