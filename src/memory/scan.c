/* SPDX-License-Identifier: BSD-3-Clause */
/* scan.c - which pages an address space has, asked of the kernel piece by piece */
#include "memory/scan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "base/util.h"

#define WORDS 512u

static int open_pagemap(pid_t pid, struct dn_error *err)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? dn_error_set(err, -errno, "cannot open %s", path) : fd;
}

static bool wanted(const struct dn_map *m)
{
	return dn_map_private(m);
}

int dn_scan_init(struct dn_scan *scan, const struct dn_space *space, bool plain, struct dn_error *err)
{
	scan->space = space;
	scan->plain = plain;
	scan->map = scan->used = scan->next = 0;
	scan->reached = 0;
	scan->end = space->count ? space->maps[space->count - 1].end : 0;
	scan->pagemap = open_pagemap(space->process->pid, err);
	return scan->pagemap < 0 ? scan->pagemap : 0;
}

void dn_scan_finish(struct dn_scan *scan)
{
	if (scan->pagemap >= 0)
		close(scan->pagemap);
	scan->pagemap = -1;
}

int dn_scan_words(const struct dn_scan *scan, uint64_t addr, uint64_t *words, size_t count, struct dn_error *err)
{
	ssize_t n = dn_pread_full(scan->pagemap, words, count * sizeof(*words), (off_t)(addr / DN_PAGE_SIZE * 8));

	if (n < 0)
		return dn_error_set(err, (int)n, "cannot read /proc/%d/pagemap", scan->space->process->pid);
	if ((size_t)n < count * sizeof(*words))
		memset((char *)words + n, 0, count * sizeof(*words) - (size_t)n);
	return 0;
}

/* ---- finding regions ---- */

/* -ENOTTY: the kernel does not know PAGEMAP_SCAN. */
static int ask_scan(struct dn_scan *scan, struct dn_error *err)
{
	struct pm_scan_arg arg = {
		.size = sizeof(arg),
		.start = scan->reached,
		.end = scan->end,
		.vec = (uintptr_t)scan->regions,
		.vec_len = DN_SCAN_REGIONS,
		.category_inverted = PAGE_IS_FILE | PAGE_IS_PFNZERO | PAGE_IS_GUARD,
		.category_mask = PAGE_IS_FILE | PAGE_IS_PFNZERO | PAGE_IS_GUARD,
		.category_anyof_mask = PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
		/* Something must be returned; this keeps runs together, whatever they are. */
		.return_mask = PAGE_IS_FILE,
	};

	int n = ioctl(scan->pagemap, PAGEMAP_SCAN, &arg);
	if (n < 0 && errno == EINVAL) { /* before 6.15: no guard regions in it */
		arg.category_inverted &= ~(uint64_t)PAGE_IS_GUARD;
		arg.category_mask &= ~(uint64_t)PAGE_IS_GUARD;
		n = ioctl(scan->pagemap, PAGEMAP_SCAN, &arg);
	}
	if (n < 0 && errno == ENOTTY)
		return -ENOTTY;
	if (n < 0)
		return dn_error_set(err, -errno, "cannot scan the page tables of process %d",
				    scan->space->process->pid);
	if (arg.walk_end <= scan->reached)
		return dn_error_say(err, -EIO, "the scan of the page tables of process %d gets nowhere",
				    scan->space->process->pid);
	scan->used = (size_t)n;
	scan->reached = arg.walk_end;
	return 0;
}

/* The same from words, one window of one mapping at a time. */
static int ask_words(struct dn_scan *scan, struct dn_error *err)
{
	uint64_t words[WORDS];
	size_t i = dn_space_find(scan->space, scan->reached);

	while (i < scan->space->count && (!wanted(&scan->space->maps[i]) || !scan->space->maps[i].resident))
		i++;
	const struct dn_map *m = &scan->space->maps[i];
	if (i == scan->space->count || m->start >= scan->end) {
		scan->reached = scan->end;
		return 0;
	}
	uint64_t from = DN_MAX(m->start, scan->reached), to = DN_MIN(m->end, from + WORDS * DN_PAGE_SIZE);
	to = DN_MIN(to, scan->end);
	size_t count = (to - from) / DN_PAGE_SIZE, k;
	int r = dn_scan_words(scan, from, words, count, err);
	if (r < 0)
		return r;
	for (k = 0; k < count; k++) {
		uint64_t addr = from + k * DN_PAGE_SIZE;
		if (!dn_scan_is_private(words[k], 0))
			continue;
		if (scan->used && scan->regions[scan->used - 1].end == addr) {
			scan->regions[scan->used - 1].end += DN_PAGE_SIZE;
			continue;
		}
		if (scan->used == DN_SCAN_REGIONS)
			break;
		scan->regions[scan->used++] = (struct page_region){ .start = addr, .end = addr + DN_PAGE_SIZE };
	}
	scan->reached = from + k * DN_PAGE_SIZE;
	return 0;
}

static int ask(struct dn_scan *scan, struct dn_error *err)
{
	scan->used = scan->next = 0;
	if (!scan->plain) {
		int r = ask_scan(scan, err);
		if (r != -ENOTTY)
			return r;
		scan->plain = true;
	}
	return ask_words(scan, err);
}

int dn_scan_next(struct dn_scan *scan, struct dn_run *ret, struct dn_error *err)
{
	const struct dn_space *s = scan->space;

	for (;;) {
		if (scan->next == scan->used) {
			if (scan->reached >= scan->end)
				return 0;
			int r = ask(scan, err);
			if (r < 0)
				return r;
			continue;
		}
		struct page_region *region = &scan->regions[scan->next];
		while (scan->map < s->count && s->maps[scan->map].end <= region->start)
			scan->map++;
		if (scan->map == s->count)
			return 0;
		const struct dn_map *m = &s->maps[scan->map];
		uint64_t from = DN_MAX(region->start, m->start), to = DN_MIN(region->end, m->end);
		region->start = to > from ? to : region->end;
		if (region->start >= region->end)
			scan->next++;
		if (from >= to || !wanted(m))
			continue;
		*ret = (struct dn_run){ .addr = from, .pages = (to - from) / DN_PAGE_SIZE };
		return 1;
	}
}

void dn_scan_skip(struct dn_scan *scan, uint64_t addr)
{
	while (scan->next < scan->used && scan->regions[scan->next].end <= addr)
		scan->next++;
	if (scan->next < scan->used)
		scan->regions[scan->next].start = DN_MAX(scan->regions[scan->next].start, addr);
	else
		scan->reached = DN_MAX(scan->reached, addr);
}

/* ---- guard regions ---- */

static int add_guards(struct dn_space *s, uint64_t start, uint64_t end, struct dn_error *err)
{
	for (size_t i = dn_space_find(s, start); i < s->count && s->maps[i].start < end; i++) {
		struct dn_run run = { .addr = start, .pages = (end - start) / DN_PAGE_SIZE };
		if (!dn_run_clip(&run, s->maps[i].start, s->maps[i].end))
			continue;
		if (dn_runs_add(&s->guards, run.addr, run.pages, 0) < 0)
			return dn_error_set(err, -ENOMEM, "cannot note guard regions");
	}
	return 0;
}

int dn_scan_guards(struct dn_space *s, struct dn_error *err)
{
	struct page_region regions[DN_SCAN_REGIONS];
	struct pm_scan_arg arg = {
		.size = sizeof(arg),
		.end = s->count ? s->maps[s->count - 1].end : 0,
		.vec = (uintptr_t)regions,
		.vec_len = DN_SCAN_REGIONS,
		.category_mask = PAGE_IS_GUARD,
		.return_mask = PAGE_IS_GUARD,
	};
	_cleanup_fd_ int fd = open_pagemap(s->process->pid, err);

	if (fd < 0)
		return fd;
	for (; arg.start < arg.end; arg.start = arg.walk_end) {
		int n = ioctl(fd, PAGEMAP_SCAN, &arg);
		/* A kernel that cannot show them: either it has none, or it is 6.13 or 6.14, where a program's
		 * guard pages look like swapped ones that cannot be read, which fails loudly. */
		if (n < 0 && (errno == ENOTTY || errno == EINVAL))
			return 0;
		if (n < 0)
			return dn_error_set(err, -errno, "cannot scan the page tables of process %d", s->process->pid);
		if (arg.walk_end <= arg.start)
			return dn_error_say(err, -EIO, "the scan of the page tables of process %d gets nowhere",
					    s->process->pid);
		for (int i = 0; i < n; i++) {
			int r = add_guards(s, regions[i].start, regions[i].end, err);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

/* ---- page frames ---- */

bool dn_scan_frames(uint64_t *ret_zero)
{
	uint64_t words[2] = {};
	volatile unsigned char *p = mmap(NULL, 2 * DN_PAGE_SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	*ret_zero = 0;
	if (p == MAP_FAILED)
		return false;
	(void)p[0];
	(void)p[DN_PAGE_SIZE];
	_cleanup_fd_ int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || pread(fd, words, sizeof(words), (off_t)((uintptr_t)p / DN_PAGE_SIZE * 8)) != sizeof(words))
		words[0] = 0;
	munmap((void *)p, 2 * DN_PAGE_SIZE);
	/* Some kernels give every reader a page of its own.  That one's frame will be somebody else's soon. */
	if ((words[0] & DN_PAGEMAP_FRAME) == (words[1] & DN_PAGEMAP_FRAME))
		*ret_zero = words[0] & DN_PAGEMAP_FRAME;
	return (words[0] & DN_PAGEMAP_FRAME) != 0;
}
