/* SPDX-License-Identifier: BSD-3-Clause */
/* json.h - writing JSON
 *
 * Members are written in the order of the calls; commas, indentation and escapes are taken care of.
 * key is NULL inside an array and for the outermost value.  Nesting is at most DN_JSON_DEPTH deep.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define DN_JSON_DEPTH 16

struct dn_json {
	FILE *out;
	unsigned int depth;
	bool used[DN_JSON_DEPTH]; /* something stands before, a comma is due */
	bool flat;		  /* write what follows on one line */
};

#define DN_JSON_INIT(file)                                                                                             \
	{                                                                                                              \
		.out = (file)                                                                                          \
	}

void dn_json_object(struct dn_json *j, const char *key);
void dn_json_object_end(struct dn_json *j);
void dn_json_array(struct dn_json *j, const char *key);
void dn_json_array_end(struct dn_json *j);
/* Ends the document with a newline; -errno if anything could not be written. */
int dn_json_finish(struct dn_json *j);

void dn_json_bool(struct dn_json *j, const char *key, bool value);
void dn_json_int(struct dn_json *j, const char *key, int64_t value);
void dn_json_uint(struct dn_json *j, const char *key, uint64_t value);
void dn_json_ms(struct dn_json *j, const char *key, uint64_t ns); /* nanoseconds, written as ms */
/* Bytes that are not UTF-8 become U+FFFD.  NULL is written as null. */
void dn_json_text(struct dn_json *j, const char *key, const char *value);
void dn_json_text_n(struct dn_json *j, const char *key, const void *value, size_t len);
/* "0x..." as a string: addresses and masks, which do not fit the numbers of most JSON readers. */
void dn_json_hex(struct dn_json *j, const char *key, uint64_t value);
