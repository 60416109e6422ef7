/* SPDX-License-Identifier: BSD-3-Clause */
/* format.h - what the bytes of an image are
 *
 *	image          = file-header info-record record* index-record commit-record
 *	file-header    = struct dn_file_header, zeroes up to 4096 bytes
 *	record         = struct dn_record_header, payload, zeroes up to a multiple of 4096 bytes
 *	message-record = a record whose payload is one protobuf message of image.proto
 *	page-record    = a record whose payload is: struct dn_run * runs, zeroes up to the next multiple
 *	                 of 4096 bytes from the start of the record, 4096 bytes * pages
 *	index-record   = a record whose payload is: struct dn_index_entry * all records before it
 *	commit-record  = a record whose payload is: struct dn_commit; ends the file
 *
 * Numbers are little-endian.  Every record starts at a multiple of 4096, and so do the pages within a
 * page record: direct I/O works on all of them, and the record of 256 pages is 1 MiB and 4 or 8 KiB.
 * Every byte of an image is covered by one checksum: that of the file header its whole block, that of a
 * record header the header, that of a payload all that follows the header, padding too.  A record
 * header says where it stands and of which image it is a part, so that no record can be moved, repeated
 * or be taken over from what a disk held before.  The records from the first to the commit record
 * follow each other without gaps, and the index lists them in that order.
 *
 * Versions: a change that old readers can live with (new fields in messages, new record types with
 * DN_RECORD_OPTIONAL) raises DN_FORMAT_VERSION; one that they cannot live with sets
 * DN_FORMAT_COMPATIBLE to the new version too.  A reader takes an image if its own version is at
 * least the image's `compatible`.  The file header never changes.
 */
#pragma once

#include <assert.h>
#include <stdint.h>

#include "image/image.h"

#define DN_FORMAT_VERSION 1u
#define DN_FORMAT_COMPATIBLE 1u

#define DN_BLOCK 4096u

/* CR LF, ^Z and LF: a transfer as text cannot leave all of them alone. */
#define DN_FILE_MAGIC "DUNLIN image\r\n\x1a\n"
#define DN_RECORD_MAGIC "DNRECORD"

struct dn_file_header {
	char magic[16];
	uint32_t version;    /* of the format, as written */
	uint32_t compatible; /* oldest version whose readers can read it */
	uint32_t block;	     /* 4096 */
	uint32_t reserved;
	uint64_t image_id; /* random; stands in every record */
	uint8_t zero[4048];
	uint64_t checksum; /* XXH3-64 of all bytes before */
};

static_assert(sizeof(struct dn_file_header) == DN_BLOCK, "a file header is one block");
static_assert(sizeof(DN_FILE_MAGIC) - 1 == 16, "all of the magic is used");

enum dn_record_flags {
	DN_RECORD_OPTIONAL = 1, /* a reader that does not know the type may skip the record */
};

struct dn_record_header {
	char magic[8];
	uint32_t type; /* enum dn_record_type */
	uint32_t flags;
	uint64_t image_id;
	uint64_t offset; /* of this header in the image */
	uint64_t length; /* of the payload, without the padding at the end */
	uint32_t owner;	 /* page records: pid or Object.id; else 0 */
	uint32_t stage;	 /* page records: enum dn_page_stage; else 0 */
	uint32_t runs;	 /* page records: 1..DN_CHUNK_PAGES; else 0 */
	uint32_t pages;	 /* page records: 1..DN_CHUNK_PAGES, the sum over all runs; else 0 */
	uint8_t zero[56];
	uint64_t payload_checksum; /* XXH3-64 of all bytes after this header up to the next record */
	uint64_t header_checksum;  /* XXH3-64 of all bytes of the header before */
};

static_assert(sizeof(struct dn_record_header) == 128, "the record header has no holes");
static_assert(sizeof(struct dn_run) == 16, "runs are written as they are");
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "structs are written as they are");

/* How many runs fit behind a record header into the first block. */
#define DN_FIRST_BLOCK_RUNS ((DN_BLOCK - sizeof(struct dn_record_header)) / sizeof(struct dn_run))

struct dn_index_entry {
	uint64_t offset;
	uint32_t owner;
	uint16_t pages;
	uint8_t stage;
	uint8_t type;
};

static_assert(sizeof(struct dn_index_entry) == 16, "16 MiB of index for 1 TiB of pages");
static_assert(DN_CHUNK_PAGES <= UINT16_MAX, "dn_index_entry.pages holds every count");

struct dn_commit {
	uint64_t index_offset;
	uint64_t index_checksum; /* payload_checksum of the index record */
	uint64_t records;	 /* entries of the index */
	uint64_t pages;		 /* in all page records */
};

/* Largest payload of a message record.  Writers stay far below (about 1 MiB a record, by splitting
 * Vmas and Threads), which keeps the memory of writer and reader small. */
#define DN_MESSAGE_MAX (256u << 20)

/* A record from header to padding. */
static inline uint64_t dn_record_size(uint64_t length)
{
	return (sizeof(struct dn_record_header) + length + DN_BLOCK - 1) / DN_BLOCK * DN_BLOCK;
}

/* Bytes from the start of a page record to its first page. */
static inline uint32_t dn_page_record_head(uint32_t runs)
{
	return runs <= DN_FIRST_BLOCK_RUNS ? DN_BLOCK : 2 * DN_BLOCK;
}

/* ---- checksums (checksum.c) ---- */

/* XXH3-64, with the widest vector instructions of the processor. */
uint64_t dn_checksum(const void *data, size_t len);

/* Fills in magic and both checksums of the record that starts at h; offset, length, image_id and all other
 * fields are set; the payload follows at h + 1, padded with zeroes to size bytes from h. */
void dn_record_seal(struct dn_record_header *h, uint64_t size);
/* For when the payload's checksum was taken before: the header alone. */
void dn_record_seal_header(struct dn_record_header *h);
void dn_file_header_init(struct dn_file_header *h, uint64_t image_id);
