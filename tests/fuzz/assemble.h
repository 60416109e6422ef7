/* SPDX-License-Identifier: BSD-3-Clause */
/* assemble.h - the two forms of input of the image fuzzer
 *
 *	input  = 'R' image			as it is; wrong checksums are made right
 *	       | 'A' record*			an image is built around the records
 *	record = struct assemble_record, struct dn_run * runs (only of type DN_RECORD_PAGES), payload
 *
 * Checksums and exact offsets would stop a fuzzer at the door: the harness computes them, the reader
 * has no hole.  In the second form whatever is inserted into a message leaves the image around it whole.
 */
#pragma once

#include <stdint.h>

#include "image/format.h"

struct __attribute__((packed)) assemble_record {
	uint8_t type;
	uint8_t flags;
	uint8_t stage;
	uint32_t owner;
	uint16_t runs, pages; /* pages are not in the input: they are made up */
	uint16_t length;      /* of the payload; less if the input ends before */
};

#define ASSEMBLE_MAX (4u << 20) /* largest image that is built */

/* Builds the image for an input in buf, which has room for ASSEMBLE_MAX bytes.  Returns its size, 0: not
 * an input of either form. */
size_t assemble(const uint8_t *data, size_t size, unsigned char *buf);
