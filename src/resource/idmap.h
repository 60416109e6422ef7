/* SPDX-License-Identifier: BSD-3-Clause */
/* idmap.h - from (what, device, inode) to a number
 *
 * A hash table for what is looked up once per descriptor or mapping: which descriptions, objects and
 * pipes belong to an inode.  Values are numbers from 1; 0 means that there is none.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct dn_idmap_entry {
	uint64_t a, b;
	uint32_t what;
	uint32_t value;
};

/* All zeroes: empty. */
struct dn_idmap {
	struct dn_idmap_entry *entries;
	size_t count, size; /* size: a power of two, or 0 */
};

/* The place of a key's value, made with the value 0 if it was not there; NULL without memory.  Valid
 * until the next call. */
uint32_t *dn_idmap_at(struct dn_idmap *m, uint32_t what, uint64_t a, uint64_t b);
/* The value of a key, 0 if there is none; changes nothing. */
uint32_t dn_idmap_get(const struct dn_idmap *m, uint32_t what, uint64_t a, uint64_t b);
void dn_idmap_finish(struct dn_idmap *m);
