/* SPDX-License-Identifier: BSD-3-Clause */
/* vdso.c - this kernel's vdso: its content, and how large it and its data are */
#include "memory/vdso.h"

#include <errno.h>
#include <string.h>
#include <sys/auxv.h>
#include <xxhash.h>

#include "base/util.h"
#include "memory/memory.h"
#include "memory/smaps.h"

static int each(const struct dn_smaps_entry *e, void *arg, struct dn_error *err)
{
	struct dn_vdso *v = arg;

	if (!strcmp(e->name, "[vdso]")) {
		v->start = e->start;
		v->size = e->end - e->start;
	} else if (!strncmp(e->name, "[vvar", 5)) {
		v->data_size += e->end - e->start;
	}
	return 0;
}

int dn_vdso_find(struct dn_vdso *ret, struct dn_error *err)
{
	struct dn_vdso v = {};
	int r = dn_smaps_read(getpid(), each, &v, err);

	if (r < 0)
		return r;
	*ret = v;
	return 0;
}

int dn_vdso_hash(unsigned char hash[16], struct dn_error *err)
{
	XXH128_canonical_t canonical;
	struct dn_vdso v = {};
	int r = getauxval(AT_SYSINFO_EHDR) ? dn_vdso_find(&v, err) : 0;

	if (r < 0)
		return r;
	if (!v.size)
		return 0;
	XXH128_canonicalFromHash(&canonical, XXH3_128bits((const void *)(uintptr_t)v.start, v.size));
	memcpy(hash, canonical.digest, 16);
	return 1;
}
