/* SPDX-License-Identifier: BSD-3-Clause */
/* checksum.c - XXH3 over payloads and headers
 *
 * Measured on a processor with AVX-512, per 4 KiB: 250 ns with the plain functions of libxxhash (SSE2),
 * 55 ns with those that look at the processor first (and 155 ns when the data comes from memory).
 */
#include "image/format.h"

#include <string.h>

#ifdef DN_HAVE_XXH_DISPATCH
#include <xxh_x86dispatch.h>
#else
#include <xxhash.h>
#endif

uint64_t dn_checksum(const void *data, size_t len)
{
	return XXH3_64bits(data, len);
}

void dn_record_seal_header(struct dn_record_header *h)
{
	memcpy(h->magic, DN_RECORD_MAGIC, sizeof(h->magic));
	h->header_checksum = dn_checksum(h, offsetof(struct dn_record_header, header_checksum));
}

void dn_record_seal(struct dn_record_header *h, uint64_t size)
{
	h->payload_checksum = dn_checksum(h + 1, size - sizeof(*h));
	dn_record_seal_header(h);
}

void dn_file_header_init(struct dn_file_header *h, uint64_t image_id)
{
	memset(h, 0, sizeof(*h));
	memcpy(h->magic, DN_FILE_MAGIC, sizeof(h->magic));
	h->version = DN_FORMAT_VERSION;
	h->compatible = DN_FORMAT_COMPATIBLE;
	h->block = DN_BLOCK;
	h->image_id = image_id;
	h->checksum = dn_checksum(h, offsetof(struct dn_file_header, checksum));
}
