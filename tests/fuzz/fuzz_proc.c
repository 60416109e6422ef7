/* SPDX-License-Identifier: BSD-3-Clause */
/* fuzz_proc.c - the readers of /proc, and what searches a program's code, on whatever a fuzzer thinks of
 *
 * A program chooses its name, the paths that it maps, its code.  The first byte says what the rest is:
 * m: smaps, in pieces of the size in the second byte; s: stat; f: status; c: code.
 */
#include <stdlib.h>

#include "base/proc.h"
#include "base/util.h"
#include "memory/smaps.h"
#include "tracee/control.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool promise)
{
	if (!promise)
		abort();
}

static int each(const struct dn_smaps_entry *e, void *arg, struct dn_error *err)
{
	demand(e->start < e->end && e->start % DN_PAGE_SIZE == 0 && e->end % DN_PAGE_SIZE == 0);
	demand(strnlen(e->name, sizeof(e->name)) < sizeof(e->name));
	demand(!(e->prot & ~7u));
	return 0;
}

static void read_smaps(const char *text, size_t size)
{
	struct dn_smaps s = {};
	struct dn_error err = {};
	size_t piece = size ? (unsigned char)text[0] * 16u + 1 : 1;
	int r = dn_smaps_init(&s, each, NULL, &err);

	for (size_t at = 1; r == 0 && at < size; at += piece) {
		size_t len = DN_MIN(DN_MIN(piece, size - at), DN_SMAPS_BUFFER - s.used);
		memcpy(s.buffer + s.used, text + at, len);
		r = dn_smaps_fed(&s, len, &err);
	}
	if (r == 0)
		r = dn_smaps_end(&s, &err);
	demand(r == 0 || (r < 0 && err.text[0]));
	dn_smaps_finish(&s);
}

static void read_stat(const char *text)
{
	struct dn_stat st = {};

	if (dn_stat_parse(text, &st) == 0)
		demand(strnlen(st.comm, sizeof(st.comm)) < sizeof(st.comm) && st.state);
}

static void read_field(const struct dn_text *t)
{
	static const char *const keys[] = { "State", "TracerPid", "x86_Thread_features" };

	for (size_t i = 0; i < DN_ARRAY_LEN(keys); i++) {
		const char *value = dn_text_field(t, keys[i]);
		demand(!value || (value > t->data && value <= t->data + t->len));
	}
}

static void search(const unsigned char *code, size_t size)
{
	long at = dn_arch_find_syscall(code, size);

	demand(at < 0 || (size_t)at + 3 <= size);
	at = dn_arch_find_sigreturn(code, size);
	demand(at < 0 || (size_t)at + 7 <= size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	/* A copy of its own, so that a step too far is seen; texts end with a NUL. */
	size_t len = size - 1;
	_cleanup_free_ char *text = malloc(len + 1);
	if (!text)
		return 0;
	memcpy(text, data + 1, len);
	text[len] = '\0';
	switch (data[0]) {
	case 'm': read_smaps(text, len); break;
	case 's': read_stat(text); break;
	case 'f': read_field(&(struct dn_text){ text, len, len + 1 }); break;
	case 'c': search((unsigned char *)text, len); break;
	}
	return 0;
}
