/* SPDX-License-Identifier: BSD-3-Clause */
/* assemble.c - images from the input of a fuzzer */
#include "assemble.h"

#include <string.h>

#include "base/util.h"

#define IMAGE_ID 0x6e696c6e7564u
#define RECORDS_MAX 256u

/* ---- form R ---- */

static void reseal(unsigned char *buf, size_t size)
{
	if (size >= sizeof(struct dn_file_header)) {
		struct dn_file_header *h = (struct dn_file_header *)buf;
		h->checksum = dn_checksum(h, offsetof(struct dn_file_header, checksum));
	}
	for (size_t at = DN_BLOCK; at + DN_BLOCK <= size; at += DN_BLOCK) {
		struct dn_record_header *h = (struct dn_record_header *)(buf + at);
		if (memcmp(h->magic, DN_RECORD_MAGIC, sizeof(h->magic)) != 0)
			continue;
		if (h->length <= size && dn_record_size(h->length) <= size - at)
			dn_record_seal(h, dn_record_size(h->length));
		else
			dn_record_seal_header(h);
	}
	/* The commit record knows the index's checksum. */
	if (size < 2 * DN_BLOCK || size % DN_BLOCK)
		return;
	struct dn_record_header *end = (struct dn_record_header *)(buf + size - DN_BLOCK);
	struct dn_commit *commit = (struct dn_commit *)(end + 1);
	if (end->type != DN_RECORD_COMMIT || commit->index_offset % DN_BLOCK || commit->index_offset >= size)
		return;
	commit->index_checksum = ((struct dn_record_header *)(buf + commit->index_offset))->payload_checksum;
	if (dn_record_size(end->length) == DN_BLOCK)
		dn_record_seal(end, DN_BLOCK);
}

/* ---- form A ---- */

struct builder {
	unsigned char *buf;
	size_t used;
	struct dn_index_entry index[RECORDS_MAX];
	size_t records;
	uint64_t pages;
};

static struct dn_record_header *begin_record(struct builder *b, uint32_t type, uint64_t length)
{
	uint64_t size = dn_record_size(length);

	if (size > ASSEMBLE_MAX - b->used)
		return NULL;
	struct dn_record_header *h = (struct dn_record_header *)(b->buf + b->used);
	memset(h, 0, size);
	h->type = type;
	h->length = length;
	h->offset = b->used;
	h->image_id = IMAGE_ID;
	b->used += size;
	return h;
}

/* One record of the input; how much of the input it took, 0 at the end. */
static size_t add_record(struct builder *b, const uint8_t *data, size_t size)
{
	struct assemble_record r;

	if (size < sizeof(r) || b->records == RECORDS_MAX)
		return 0;
	memcpy(&r, data, sizeof(r));
	bool pages = r.type == DN_RECORD_PAGES;
	uint16_t runs = pages ? r.runs % (DN_CHUNK_PAGES + 1) : 0, count = pages ? r.pages % (DN_CHUNK_PAGES + 1) : 0;
	size_t runs_size = DN_MIN(runs * sizeof(struct dn_run), size - sizeof(r));
	size_t length = pages ? 0 : DN_MIN(r.length, size - sizeof(r));
	uint64_t payload =
		pages ? dn_page_record_head(runs) - sizeof(struct dn_record_header) + count * DN_PAGE_SIZE : length;

	struct dn_record_header *h = begin_record(b, r.type, payload);
	if (!h)
		return 0;
	h->flags = r.flags;
	if (pages) {
		h->owner = r.owner;
		h->stage = r.stage;
		h->runs = runs;
		h->pages = count;
	}
	memcpy(h + 1, data + sizeof(r), pages ? runs_size : length);
	dn_record_seal(h, dn_record_size(payload));
	b->index[b->records++] = (struct dn_index_entry){ h->offset, h->owner, count, (uint8_t)h->stage, r.type };
	b->pages += count;
	return sizeof(r) + (pages ? runs_size : length);
}

static size_t build(const uint8_t *data, size_t size, unsigned char *buf)
{
	static struct builder b;

	b.buf = buf;
	b.used = DN_BLOCK;
	b.records = 0;
	b.pages = 0;
	dn_file_header_init((struct dn_file_header *)buf, IMAGE_ID);
	for (size_t n; (n = add_record(&b, data, size)) > 0;) {
		data += n;
		size -= n;
	}
	struct dn_record_header *index = begin_record(&b, DN_RECORD_INDEX, b.records * sizeof(b.index[0]));
	if (!index)
		return 0;
	memcpy(index + 1, b.index, b.records * sizeof(b.index[0]));
	dn_record_seal(index, dn_record_size(index->length));
	struct dn_record_header *end = begin_record(&b, DN_RECORD_COMMIT, sizeof(struct dn_commit));
	if (!end)
		return 0;
	*(struct dn_commit *)(end + 1) =
		(struct dn_commit){ index->offset, index->payload_checksum, b.records, b.pages };
	dn_record_seal(end, DN_BLOCK);
	return b.used;
}

size_t assemble(const uint8_t *data, size_t size, unsigned char *buf)
{
	if (size < 1 || size > ASSEMBLE_MAX)
		return 0;
	if (data[0] == 'A')
		return build(data + 1, size - 1, buf);
	if (data[0] != 'R')
		return 0;
	memcpy(buf, data + 1, size - 1);
	reseal(buf, size - 1);
	return size - 1;
}
