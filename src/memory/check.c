/* SPDX-License-Identifier: BSD-3-Clause */
/* check.c - is what an image says of memory sound, and does it fit this machine?
 *
 * The reader of images has checked each mapping by itself (image/validate.c).  Here they are checked
 * against each other (what is inherited must be there to inherit) and against this kernel.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/proc.h"
#include "memory/rebuild.h"
#include "memory/vdso.h"

#define BAD(...) dn_error_say(err, -EBADMSG, __VA_ARGS__)
#define SPARE_MAPS 64u /* mappings for the arena, and for splitting while mappings change */

/* ---- indexes ---- */

size_t dn_rebuild_index(const struct dn_restore *r, uint32_t pid)
{
	size_t count;
	struct dn_image_process *p = dn_image_processes(r->image, &count);

	for (size_t i = 0; i < count; i++) {
		if (p[i].process->pid == pid)
			return i;
	}
	return DN_NO_PARENT;
}

size_t dn_rebuild_find(const struct dn_image_process *p, uint64_t addr)
{
	size_t low = 0, high = p->vma_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (p->vmas[middle]->end > addr)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* Groups page chunks: COMMON ones by process, all others after them, each in the order of the file. */
static int order_chunks(struct dn_restore *r, struct dn_memory_restore *m, struct dn_error *err)
{
	const struct dn_page_chunk *chunks = dn_image_chunks(r->image, &m->chunk_count);
	_cleanup_free_ size_t *group = calloc(m->chunk_count + 1, sizeof(*group));
	uint32_t last_owner = 0;
	size_t last = DN_NO_PARENT;

	m->order = calloc(m->chunk_count + 1, sizeof(*m->order));
	m->common = calloc(m->count + 2, sizeof(*m->common));
	if (!group || !m->order || !m->common)
		return dn_error_set(err, -ENOMEM, "cannot note %zu page records", m->chunk_count);
	for (size_t i = 0; i < m->chunk_count; i++) {
		group[i] = m->count;
		if (chunks[i].stage == DN_PAGES_OBJECT)
			continue;
		if (last == DN_NO_PARENT || chunks[i].owner != last_owner)
			last = dn_rebuild_index(r, chunks[i].owner);
		last_owner = chunks[i].owner;
		if (last == DN_NO_PARENT)
			return BAD("there are pages of process %u, which is not in the image", last_owner);
		if (chunks[i].stage == DN_PAGES_COMMON)
			group[i] = last;
	}
	for (size_t i = 0; i < m->chunk_count; i++)
		m->common[group[i] + 1]++;
	for (size_t i = 0; i <= m->count; i++)
		m->common[i + 1] += m->common[i];
	/* common[g] moves to the end of group g, then everything is one place too far. */
	for (size_t i = 0; i < m->chunk_count; i++)
		m->order[m->common[group[i]]++] = (uint32_t)i;
	memmove(m->common + 1, m->common, m->count * sizeof(*m->common));
	m->common[0] = 0;
	return 0;
}

static int prepare(struct dn_restore *r, struct dn_error *err)
{
	struct dn_memory_restore *m = calloc(1, sizeof(*m));
	struct dn_vdso vdso;

	if (!m)
		return dn_error_set(err, -ENOMEM, "cannot note mappings");
	r->memory = m;
	struct dn_image_process *p = dn_image_processes(r->image, &m->count);
	m->parent = calloc(m->count + 1, sizeof(*m->parent));
	if (!m->parent)
		return dn_error_set(err, -ENOMEM, "cannot note mappings");
	for (size_t i = 0; i < m->count; i++)
		m->parent[i] = i ? dn_rebuild_index(r, p[i].process->ppid) : DN_NO_PARENT;
	int k = dn_vdso_find(&vdso, err);
	if (k < 0)
		return k;
	m->vdso_size = vdso.size;
	m->vvar_size = vdso.data_size;
	return order_chunks(r, m, err);
}

/* ---- the image against itself ---- */

static bool same_mapping(const Dn__Vma *c, const Dn__Vma *p)
{
	if (c->kind != p->kind || c->file != p->file || c->huge_shift != p->huge_shift)
		return false;
	return c->kind != DN__VMA__KIND__FILE_PRIVATE || c->offset - c->start == p->offset - p->start;
}

static int check_inherited(const Dn__Vma *v, const struct dn_image_process *parent, struct dn_error *err)
{
	uint64_t at = v->start;

	if (!dn_vma_private(v) && !dn_vma_kernel(v))
		return BAD("the mapping at 0x%lx is shared, and inherited", v->start);
	if (dn_vma_kernel(v) && v->inherit_end != v->end)
		return BAD("the mapping at 0x%lx is of the kernel, and inherited in part", v->start);
	for (size_t i = parent ? dn_rebuild_find(parent, at) : 0; parent && i < parent->vma_count; i++) {
		const Dn__Vma *p = parent->vmas[i];
		if (at >= v->inherit_end || p->start > at || !same_mapping(v, p))
			break;
		at = p->end;
	}
	return at >= v->inherit_end
		       ? 0
		       : BAD("the mapping at 0x%lx is inherited, but the parent does not have it", v->start);
}

static int check_vma(const struct dn_image_process *p, const Dn__Vma *v, const struct dn_image_process *parent,
		     struct dn_error *err)
{
	uint64_t huge = v->huge_shift ? (1ull << v->huge_shift) - 1 : 0;

	if (v->flags & ~DN_VMA_ALL)
		return BAD("the mapping at 0x%lx has flags 0x%lx that this dunlin does not know", v->start, v->flags);
	if (v->end > DN_ADDRESS_TOP)
		return dn_error_say(err, -ENOMEM, "memory at 0x%lx is beyond the addresses of this machine", v->start);
	if ((v->kind == DN__VMA__KIND__HUGETLB) > (huge > 0) || (v->start | v->end | v->offset) & huge)
		return BAD("the mapping at 0x%lx is not aligned to its pages", v->start);
	if ((dn_vma_kernel(v) || v->kind == DN__VMA__KIND__ANON) && (v->huge_shift || v->offset))
		return BAD("the mapping at 0x%lx has an offset or huge pages", v->start);
	return v->inherit ? check_inherited(v, parent, err) : 0;
}

static int check_process(struct dn_restore *r, size_t i, struct dn_error *err)
{
	size_t count, parent = r->memory->parent[i];
	struct dn_image_process *all = dn_image_processes(r->image, &count);

	for (size_t k = 0; k < all[i].vma_count; k++) {
		int n = check_vma(&all[i], all[i].vmas[k], parent == DN_NO_PARENT ? NULL : &all[parent], err);
		if (n < 0)
			return dn_error_wrap(err, "the image makes no sense: process %u", all[i].process->pid);
	}
	return 0;
}

/* ---- the image against this machine ---- */

static uint64_t read_number(const char *path, uint64_t otherwise)
{
	_cleanup_text_ struct dn_text t = {};

	return dn_read_text(&t, NULL, "%s", path) < 0 ? otherwise : strtoull(t.data, NULL, 10);
}

static int check_vdso(struct dn_restore *r, bool has_vdso, struct dn_error *err)
{
	const Dn__ImageInfo *info = dn_image_info(r->image);
	unsigned char hash[16] = {};

	if (!has_vdso)
		return 0;
	int k = dn_vdso_hash(hash, err);
	if (k < 0)
		return k;
	if (k == 0)
		return dn_error_say(err, -ENOENT, "this kernel has no vdso, and the program was using that of Linux %s",
				    info->kernel);
	if (info->vdso_hash.len != sizeof(hash) || memcmp(info->vdso_hash.data, hash, sizeof(hash)))
		return dn_error_say(
			err, -ENOEXEC,
			"the program has code of another kernel in its memory (the vdso of Linux %s on %s, a "
			"different one from this machine's): restart it on a machine with that kernel",
			info->kernel, info->hostname);
	return 0;
}

/* Some may map below vm.mmap_min_addr (CAP_SYS_RAWIO): tried, not guessed. */
static bool can_map(uint64_t addr)
{
	void *page =
		mmap((void *)addr, DN_PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (page != MAP_FAILED)
		munmap(page, DN_PAGE_SIZE);
	return page != MAP_FAILED || errno == EEXIST;
}

static int check_addresses(const struct dn_image_process *p, uint64_t lowest, uint64_t most, struct dn_error *err)
{
	if (p->vma_count && p->vmas[0]->start < lowest && !can_map(p->vmas[0]->start))
		return dn_error_say(err, -EPERM,
				    "process %u has memory at 0x%lx, and this machine allows none below 0x%lx: lower "
				    "/proc/sys/vm/mmap_min_addr",
				    p->process->pid, p->vmas[0]->start, lowest);
	if (p->vma_count + SPARE_MAPS > most)
		return dn_error_say(err, -ENOMEM,
				    "process %u has %zu mappings, and this machine allows %lu: raise "
				    "/proc/sys/vm/max_map_count",
				    p->process->pid, p->vma_count, most);
	return 0;
}

/* Bytes of private huge pages of one size; those of objects are counted by who creates them. */
static uint64_t huge_bytes(struct dn_restore *r, uint32_t shift)
{
	size_t count;
	struct dn_image_process *p = dn_image_processes(r->image, &count);
	uint64_t bytes = 0;

	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < p[i].vma_count; k++) {
			const Dn__Vma *v = p[i].vmas[k];
			if (v->kind == DN__VMA__KIND__HUGETLB && v->huge_shift == shift && !v->inherit &&
			    !(v->flags & DN_VMA_NORESERVE))
				bytes += v->end - v->start;
		}
	}
	return bytes;
}

static int check_huge_pages(struct dn_restore *r, struct dn_error *err)
{
	for (uint32_t shift = 13; shift <= 40; shift++) {
		uint64_t pages = huge_bytes(r, shift) >> shift;
		char path[96];
		if (!pages)
			continue;
		const char *folder = "/sys/kernel/mm/hugepages/hugepages";
		unsigned long kb = 1ul << (shift - 10);
		snprintf(path, sizeof(path), "%s-%lukB/free_hugepages", folder, kb);
		uint64_t have = read_number(path, 0);
		snprintf(path, sizeof(path), "%s-%lukB/resv_hugepages", folder, kb);
		have -= DN_MIN(have, read_number(path, 0));
		snprintf(path, sizeof(path), "%s-%lukB/nr_overcommit_hugepages", folder, kb);
		have += read_number(path, 0);
		if (have < pages)
			return dn_error_say(err, -ENOMEM,
					    "the program has %lu huge pages of %lu kB, and %lu are free here: raise "
					    "%s-%lukB/nr_hugepages",
					    pages, kb, have, folder, kb);
	}
	return 0;
}

static void check_available(struct dn_restore *r)
{
	_cleanup_text_ struct dn_text t = {};
	size_t count;
	const struct dn_page_chunk *chunks = dn_image_chunks(r->image, &count);
	uint64_t pages = 0;

	for (size_t i = 0; i < count; i++)
		pages += chunks[i].pages;
	if (dn_read_text(&t, NULL, "/proc/meminfo") < 0)
		return;
	const char *available = dn_text_field(&t, "MemAvailable");
	if (available && strtoull(available, NULL, 10) < pages * DN_PAGE_SIZE / 1024)
		dn_warn("the program has %lu MiB of memory, and %llu MiB are available here",
			pages * DN_PAGE_SIZE >> 20, strtoull(available, NULL, 10) >> 10);
}

int dn_memory_check(struct dn_restore *r, struct dn_error *err)
{
	bool has_vdso = false;
	size_t count;
	struct dn_image_process *p = dn_image_processes(r->image, &count);
	uint64_t lowest = read_number("/proc/sys/vm/mmap_min_addr", 65536);
	uint64_t most = read_number("/proc/sys/vm/max_map_count", 65530);

	int k = prepare(r, err);
	for (size_t i = 0; i < count && k >= 0; i++) {
		k = check_process(r, i, err);
		if (k >= 0)
			k = check_addresses(&p[i], lowest, most, err);
		for (size_t v = 0; v < p[i].vma_count; v++)
			has_vdso = has_vdso || p[i].vmas[v]->kind == DN__VMA__KIND__VDSO;
	}
	if (k >= 0)
		k = check_vdso(r, has_vdso, err);
	if (k >= 0)
		k = check_huge_pages(r, err);
	if (k >= 0)
		check_available(r);
	return k < 0 ? k : 0;
}

void dn_memory_restore_finish(struct dn_restore *r)
{
	struct dn_memory_restore *m = r->memory;

	if (!m)
		return;
	if (m->has_buffer)
		dn_page_buffer_finish(&m->buffer);
	free(m->parent);
	free(m->order);
	free(m->common);
	free(m);
	r->memory = NULL;
}
