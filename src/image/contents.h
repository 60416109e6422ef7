/* SPDX-License-Identifier: BSD-3-Clause */
/* contents.h - what a reader keeps of an image; for the files of this folder */
#pragma once

#include "image/format.h"

/* One message as it was unpacked. */
struct dn_kept_message {
	enum dn_record_type type;
	ProtobufCMessage *message;
};

struct dn_image {
	int fd;
	char *name; /* for messages */
	uint64_t size;
	uint64_t image_id;
	uint32_t version; /* of the format */

	struct dn_kept_message *kept;
	size_t kept_count, kept_cap;

	Dn__ImageInfo *info;
	/* In the order of the file; pointers into the kept messages. */
	Dn__File **files;
	size_t file_count, file_cap;
	Dn__Pipe **pipes;
	size_t pipe_count, pipe_cap;
	Dn__Object **objects;
	size_t object_count, object_cap;
	struct dn_image_process *processes;
	size_t process_count, process_cap;
	/* The same by id and pid: for look-ups. */
	Dn__File **files_by_id;
	Dn__Pipe **pipes_by_id;
	Dn__Object **objects_by_id;
	struct dn_image_process **processes_by_pid;

	struct dn_page_chunk *chunks;
	size_t chunk_count, chunk_cap;
};

/* ---- messages.c ---- */

/* Unpacks the payload of a message record and keeps it.  The memory that this takes is bounded by a
 * multiple of len. */
int dn_contents_unpack(struct dn_image *image, enum dn_record_type type, const void *payload, size_t len,
		       struct dn_error *err);
/* After all records were read: joins what belongs together and prepares the look-ups.  Refuses ids and pids
 * that occur twice. */
int dn_contents_join(struct dn_image *image, struct dn_error *err);
void dn_contents_finish(struct dn_image *image);
/* NULL if there is none. */
struct dn_image_process *dn_contents_process(const struct dn_image *image, uint32_t pid);
/* Index in objects_by_id; object_count if there is none. */
size_t dn_contents_object_index(const struct dn_image *image, uint32_t id);

/* ---- validate.c, validate_files.c ---- */

/* Is all that the messages say possible, and does everything exist that they refer to? */
int dn_validate(const struct dn_image *image, struct dn_error *err);
int dn_validate_files(const struct dn_image *image, struct dn_error *err);
/* Do all runs lie in mappings of the process, or within the object, that the chunk is of? */
int dn_validate_runs(const struct dn_image *image, const struct dn_page_chunk *chunk, const struct dn_run *runs,
		     size_t run_count, struct dn_error *err);

#define DN_PID_MAX (1u << 22)	    /* PID_MAX_LIMIT of the kernel */
#define DN_FD_MAX (8u << 20)	    /* far above what fs.nr_open is anywhere */
#define DN_ADDRESS_MAX (1ull << 47) /* user addresses end here (4-level page tables) */
