/* SPDX-License-Identifier: BSD-3-Clause */
/* json.c - writing JSON */
#include "base/json.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* Length of the well-formed UTF-8 sequence at s (RFC 3629: no overlong forms, no surrogates), 0 if
 * there is none. */
static size_t utf8_length(const unsigned char *s, size_t left)
{
	size_t n = s[0] < 0x80			 ? 1
		   : s[0] >= 0xc2 && s[0] < 0xe0 ? 2
		   : s[0] >= 0xe0 && s[0] < 0xf0 ? 3
		   : s[0] >= 0xf0 && s[0] < 0xf5 ? 4
						 : 0;

	if (n == 0 || n > left)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] >= 0xa0) || (s[0] == 0xf0 && s[1] < 0x90) ||
	    (s[0] == 0xf4 && s[1] >= 0x90))
		return 0;
	return n;
}

static void write_string(FILE *out, const unsigned char *s, size_t len)
{
	fputc('"', out);
	for (size_t i = 0; i < len;) {
		size_t n = utf8_length(s + i, len - i);
		if (n == 0) {
			fputs("\\ufffd", out);
			i++;
			continue;
		}
		if (s[i] == '"' || s[i] == '\\')
			fprintf(out, "\\%c", s[i]);
		else if (s[i] < 0x20 || s[i] == 0x7f)
			fprintf(out, "\\u%04x", s[i]);
		else
			fwrite(s + i, 1, n, out);
		i += n;
	}
	fputc('"', out);
}

static void begin(struct dn_json *j, const char *key)
{
	bool first = !j->used[j->depth];

	if (!first)
		fputc(',', j->out);
	j->used[j->depth] = true;
	if (j->flat && !first) {
		fputc(' ', j->out);
	} else if (!j->flat && j->depth > 0) {
		fputc('\n', j->out);
		for (unsigned int i = 0; i < j->depth; i++)
			fputc('\t', j->out);
	}
	if (key) {
		write_string(j->out, (const unsigned char *)key, strlen(key));
		fputs(": ", j->out);
	}
}

static void open_level(struct dn_json *j, const char *key, char bracket)
{
	begin(j, key);
	fputc(bracket, j->out);
	assert(j->depth + 1 < DN_JSON_DEPTH);
	j->used[++j->depth] = false;
}

static void close_level(struct dn_json *j, char bracket)
{
	bool used = j->used[j->depth];

	assert(j->depth > 0);
	j->depth--;
	if (used && !j->flat) {
		fputc('\n', j->out);
		for (unsigned int i = 0; i < j->depth; i++)
			fputc('\t', j->out);
	}
	fputc(bracket, j->out);
}

void dn_json_object(struct dn_json *j, const char *key)
{
	open_level(j, key, '{');
}

void dn_json_object_end(struct dn_json *j)
{
	close_level(j, '}');
}

void dn_json_array(struct dn_json *j, const char *key)
{
	open_level(j, key, '[');
}

void dn_json_array_end(struct dn_json *j)
{
	close_level(j, ']');
}

int dn_json_finish(struct dn_json *j)
{
	assert(j->depth == 0);
	fputc('\n', j->out);
	if (fflush(j->out) != 0)
		return -errno;
	return ferror(j->out) ? -EIO : 0;
}

void dn_json_bool(struct dn_json *j, const char *key, bool value)
{
	begin(j, key);
	fputs(value ? "true" : "false", j->out);
}

void dn_json_int(struct dn_json *j, const char *key, int64_t value)
{
	begin(j, key);
	fprintf(j->out, "%" PRId64, value);
}

void dn_json_uint(struct dn_json *j, const char *key, uint64_t value)
{
	begin(j, key);
	fprintf(j->out, "%" PRIu64, value);
}

void dn_json_ms(struct dn_json *j, const char *key, uint64_t ns)
{
	begin(j, key);
	fprintf(j->out, "%" PRIu64 ".%03" PRIu64, ns / 1000000, ns / 1000 % 1000);
}

void dn_json_text_n(struct dn_json *j, const char *key, const void *value, size_t len)
{
	begin(j, key);
	write_string(j->out, value, len);
}

void dn_json_text(struct dn_json *j, const char *key, const char *value)
{
	if (value) {
		dn_json_text_n(j, key, value, strlen(value));
	} else {
		begin(j, key);
		fputs("null", j->out);
	}
}

void dn_json_hex(struct dn_json *j, const char *key, uint64_t value)
{
	begin(j, key);
	fprintf(j->out, "\"0x%" PRIx64 "\"", value);
}
