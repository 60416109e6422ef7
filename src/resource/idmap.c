/* SPDX-License-Identifier: BSD-3-Clause */
/* idmap.c - from (what, device, inode) to a number */
#include "resource/idmap.h"

#include <stdlib.h>
#include <xxhash.h>

static struct dn_idmap_entry *find(const struct dn_idmap *m, uint32_t what, uint64_t a, uint64_t b)
{
	uint64_t key[3] = { a, b, what };
	size_t i = (size_t)XXH3_64bits(key, sizeof(key));

	for (;; i++) {
		struct dn_idmap_entry *e = &m->entries[i & (m->size - 1)];
		if (!e->what || (e->what == what && e->a == a && e->b == b))
			return e;
	}
}

static int widen(struct dn_idmap *m)
{
	struct dn_idmap wider = { .size = m->size ? m->size * 2 : 64, .count = m->count };

	wider.entries = calloc(wider.size, sizeof(*wider.entries));
	if (!wider.entries)
		return -1;
	for (size_t i = 0; i < m->size; i++) {
		struct dn_idmap_entry *e = &m->entries[i];
		if (e->what)
			*find(&wider, e->what, e->a, e->b) = *e;
	}
	free(m->entries);
	*m = wider;
	return 0;
}

uint32_t *dn_idmap_at(struct dn_idmap *m, uint32_t what, uint64_t a, uint64_t b)
{
	if (m->count * 4 >= m->size * 3 && widen(m) < 0)
		return NULL;
	struct dn_idmap_entry *e = find(m, what, a, b);
	if (!e->what) {
		*e = (struct dn_idmap_entry){ .what = what, .a = a, .b = b };
		m->count++;
	}
	return &e->value;
}

uint32_t dn_idmap_get(const struct dn_idmap *m, uint32_t what, uint64_t a, uint64_t b)
{
	return m->size ? find(m, what, a, b)->value : 0;
}

void dn_idmap_finish(struct dn_idmap *m)
{
	free(m->entries);
	*m = (struct dn_idmap){};
}
