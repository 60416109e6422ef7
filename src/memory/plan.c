/* SPDX-License-Identifier: BSD-3-Clause */
/* plan.c - which mappings and pages a process shares with its parent since fork, and where they are stored
 *
 * Theory of operation.  At restart a child's seed is cloned from its parent's after the parent's COMMON
 * pages were filled in; what the clone inherits need not be stored for the child, and is one page for both
 * again, copied on write.  A mapping can be inherited where the parent has the same one at the same
 * addresses.  For every page address let v(p) be which page process p has there (0: none), h(p) which one
 * its seed has just after it was cloned, and i(p) which one its own children's seeds will inherit:
 *
 *	h(p) = i(parent), or 0 where the mapping is not inherited
 *	v(p) = h(p):          nothing is stored; i(p) = h(p)
 *	v(p) = 0, h(p) != 0:  the seed drops the page (ABSENT); i(p) = 0
 *	otherwise v(p) is stored: as COMMON if a descendant has it too, i(p) = v(p),
 *			      else as OWN, which is filled in after all clones, i(p) = h(p); but if two of
 *			      its children have another page in common (p has written to it since), that
 *			      is stored as COMMON of p, and i(p) is that page
 *
 * So a grandchild can share a page with its grandparent that the process between them has changed.
 *
 * Two processes have the same page if the page tables show the same frame.  The kernel may move pages while
 * we look, so every table is read twice, round and round: a frame that shows in two processes both times
 * was in both.  Where frames are hidden (no CAP_SYS_ADMIN), pages that are not exclusive to a process count
 * as the same if their content is.
 *
 * Address spaces are walked in windows, all related processes side by side, so the memory needed does not
 * grow with the programs, but for the runs that come out.
 */
#include <errno.h>
#include <xxhash.h>

#include "base/util.h"
#include "memory/scan.h"
#include "memory/space.h"

#define ID_EXCLUSIVE DN_PAGEMAP_EXCLUSIVE
#define ID_UNIQUE (1ull << 57) /* like no other, whatever the bits say */
#define ID_CONTENT (1ull << 58)

#define WINDOW_WORDS (1u << 17) /* of all processes of a family together */
#define WINDOW_PAGES_MAX 8192u
#define WINDOW_PAGES_MIN 64u

struct member {
	struct dn_space *space;
	struct member *parent;
	size_t last; /* index of its last descendant */
	struct dn_scan scan;
	struct dn_run pending; /* next run of pages, pages 0: no more */
	uint64_t *id, *seen;   /* v and i of the page addresses of the window */
	bool *inherits;
};

/* Processes that are related by inherited mappings; parents before children. */
struct family {
	struct member *members;
	size_t count;
	uint64_t start; /* of the window */
	size_t pages;
	uint64_t *words;
	bool *alive;
	size_t *branch; /* for each descendant of a member, which child's */
	bool frames;	/* are shown */
	uint64_t zero_frame, shared_pages;
	unsigned char *content; /* one page, to compare content */
};

/* ---- mappings ---- */

static bool compatible(const struct dn_map *c, const struct dn_map *p)
{
	/* What the child's mapping could not be given afterwards, or would be given too much of. */
	const uint64_t same = DN_VMA_GROWSDOWN | DN_VMA_NORESERVE | DN_VMA_ACCOUNT | DN_VMA_HUGEPAGE |
			      DN_VMA_NOHUGEPAGE | DN_VMA_DROPPABLE;

	if (!dn_map_private(c) || c->kind != p->kind || c->huge_shift != p->huge_shift || c->file != p->file)
		return false;
	if ((c->flags ^ p->flags) & same || p->flags & (DN_VMA_DONTFORK | DN_VMA_WIPEONFORK))
		return false;
	return c->kind != DN__VMA__KIND__FILE_PRIVATE || c->offset - c->start == p->offset - p->start;
}

static void inherit_map(struct dn_map *c, const struct dn_space *parent)
{
	uint64_t end = c->start;

	for (size_t i = dn_space_find(parent, end); i < parent->count && end < c->end; i++) {
		const struct dn_map *p = &parent->maps[i];
		if (p->start > end || !compatible(c, p))
			break;
		end = DN_MIN(p->end, c->end);
	}
	if (c->huge_shift && end < c->end) /* mappings of huge pages cannot grow */
		return;
	c->inherit_end = end > c->start ? end : 0;
}

static bool is_kernel_map(const struct dn_map *m)
{
	return m->kind == DN__VMA__KIND__VDSO || m->kind == DN__VMA__KIND__VVAR;
}

/* The vdso and its data, all of it or nothing. */
static void inherit_kernel_maps(struct dn_space *s, const struct dn_space *parent)
{
	size_t here = 0, there = 0;

	for (size_t i = 0; i < parent->count; i++)
		there += is_kernel_map(&parent->maps[i]);
	for (size_t i = 0; i < s->count; i++) {
		if (!is_kernel_map(&s->maps[i]))
			continue;
		size_t k = dn_space_find(parent, s->maps[i].start);
		if (k == parent->count || parent->maps[k].start != s->maps[i].start ||
		    parent->maps[k].end != s->maps[i].end || parent->maps[k].kind != s->maps[i].kind)
			return;
		here++;
	}
	for (size_t i = 0; here == there && i < s->count; i++) {
		if (is_kernel_map(&s->maps[i]))
			s->maps[i].inherit_end = s->maps[i].end;
	}
}

static void inherit_maps(struct dn_space *s, struct dn_space *parent)
{
	pid_t sid = getsid(s->process->pid);

	/* The seed of a child in a session that is neither its own nor its parent's may be cloned from
	 * somebody else (see restore/family.c). */
	if (sid < 0 || (sid != s->process->pid && sid != getsid(parent->process->pid)))
		return;
	inherit_kernel_maps(s, parent);
	for (size_t i = 0; i < s->count; i++) {
		if (!dn_map_private(&s->maps[i]))
			continue;
		inherit_map(&s->maps[i], parent);
		if (s->maps[i].inherit_end)
			s->parent = parent;
	}
}

/* ---- one window ---- */

static size_t window_index(const struct family *f, uint64_t addr)
{
	return (addr - f->start) / DN_PAGE_SIZE;
}

static uint64_t window_end(const struct family *f)
{
	return f->start + f->pages * DN_PAGE_SIZE;
}

/* The part of a mapping that lies in the window, as page indexes [*from, *to). */
static bool in_window(const struct family *f, const struct dn_map *m, size_t *from, size_t *to)
{
	uint64_t start = DN_MAX(m->start, f->start), end = DN_MIN(m->end, window_end(f));

	if (start >= end)
		return false;
	*from = window_index(f, start);
	*to = window_index(f, end);
	return true;
}

/* Content instead of frames: what is not exclusive may be shared. */
static int content_id(struct family *f, const struct member *m, size_t page, uint64_t *ret, struct dn_error *err)
{
	uint64_t addr = f->start + page * DN_PAGE_SIZE;
	int fd = dn_process_mem(m->space->process, err);

	if (fd < 0)
		return fd;
	ssize_t n = dn_pread_full(fd, f->content, DN_PAGE_SIZE, (off_t)addr);
	if (n != (ssize_t)DN_PAGE_SIZE)
		return dn_error_set(err, n < 0 ? (int)n : -EIO, "cannot read the memory of process %d at 0x%lx",
				    m->space->process->pid, addr);
	*ret = (XXH3_64bits(f->content, DN_PAGE_SIZE) & ~(ID_EXCLUSIVE | ID_UNIQUE)) | ID_CONTENT;
	return 0;
}

static int word_id(struct family *f, const struct member *m, size_t page, uint64_t word, uint64_t *ret,
		   struct dn_error *err)
{
	*ret = 0;
	if (!dn_scan_is_private(word, f->zero_frame))
		return 0;
	if (!f->frames && !(word & DN_PAGEMAP_EXCLUSIVE))
		return content_id(f, m, page, ret, err);
	*ret = word & (DN_PAGEMAP_FRAME | DN_PAGEMAP_EXCLUSIVE | DN_PAGEMAP_SWAP | DN_PAGEMAP_PRESENT);
	if (!f->frames)
		*ret |= ID_UNIQUE;
	return 0;
}

/* Fills m->id; the second time, what changed meanwhile is made unique. */
static int look_at(struct family *f, struct member *m, bool again, struct dn_error *err)
{
	const struct dn_space *s = m->space;
	size_t from, to;

	int r = dn_scan_words(&m->scan, f->start, f->words, f->pages, err);
	if (r < 0)
		return r;
	for (size_t i = dn_space_find(s, f->start); i < s->count && s->maps[i].start < window_end(f); i++) {
		if (!dn_map_private(&s->maps[i]) || !in_window(f, &s->maps[i], &from, &to))
			continue;
		for (size_t k = from; k < to; k++) {
			uint64_t id;
			r = f->words[k] ? word_id(f, m, k, f->words[k], &id, err) : (id = 0, 0);
			if (r < 0)
				return r;
			if (again && m->id[k] != id)
				id = m->id[k] | id | ID_UNIQUE;
			m->id[k] = id;
		}
	}
	return 0;
}

static void note_inherits(struct family *f, struct member *m)
{
	const struct dn_space *s = m->space;

	memset(m->inherits, 0, f->pages * sizeof(*m->inherits));
	if (!m->parent)
		return;
	for (size_t i = dn_space_find(s, f->start); i < s->count && s->maps[i].start < window_end(f); i++) {
		uint64_t start = DN_MAX(s->maps[i].start, f->start);
		uint64_t end = DN_MIN(s->maps[i].inherit_end, window_end(f));
		if (dn_map_private(&s->maps[i]) && start < end)
			memset(m->inherits + window_index(f, start), true, (end - start) / DN_PAGE_SIZE);
	}
}

/* Does a descendant have the same page, and could it get it through those between them? */
static bool needed(const struct family *f, const struct member *m, size_t page)
{
	uint64_t id = m->id[page];
	size_t index = (size_t)(m - f->members);

	if (id & (ID_EXCLUSIVE | ID_UNIQUE))
		return false;
	f->alive[index] = true;
	for (size_t i = index + 1; i <= m->last; i++) {
		const struct member *d = &f->members[i];
		size_t parent = (size_t)(d->parent - f->members); /* all but the first have one */
		f->alive[i] = d->parent && parent >= index && f->alive[parent] && d->inherits[page] && d->id[page];
		if (f->alive[i] && d->id[page] == id)
			return true;
	}
	return false;
}

#define LENDERS_MAX 4 /* so many different pages of descendants are tried */

/* A descendant with a page that another has as well, through another child; NULL: there is none. */
static const struct member *find_lender(struct family *f, const struct member *m, size_t page)
{
	size_t index = (size_t)(m - f->members), tried = 0;

	f->alive[index] = true;
	for (size_t i = index + 1; i <= m->last; i++) {
		const struct member *d = &f->members[i];
		size_t parent = (size_t)(d->parent - f->members);
		f->alive[i] = parent >= index && f->alive[parent] && d->inherits[page] && d->id[page];
		f->branch[i] = parent == index ? i : f->branch[parent];
	}
	for (size_t i = index + 1; i <= m->last && tried < LENDERS_MAX; i++) {
		uint64_t id = f->members[i].id[page];
		if (!f->alive[i] || id & (ID_EXCLUSIVE | ID_UNIQUE))
			continue;
		for (size_t k = i + 1; k <= m->last; k++)
			if (f->alive[k] && f->branch[k] != f->branch[i] && f->members[k].id[page] == id)
				return &f->members[i];
		tried++;
	}
	return NULL;
}

static int lend(struct dn_space *s, size_t from, uint64_t addr, unsigned int class)
{
	size_t i = 0;

	while (i < s->loan_count && s->loans[i].from != from)
		i++;
	if (i == s->loan_count) {
		if (dn_grow(&s->loans, &s->loan_cap, i, sizeof(*s->loans)) < 0)
			return -ENOMEM;
		s->loans[s->loan_count++] = (struct dn_loan){ .from = from };
	}
	return dn_runs_add(&s->loans[i].runs, addr, 1, class);
}

static int decide_page(struct family *f, struct member *m, size_t page, bool exact)
{
	uint64_t v = m->id[page], h = m->inherits[page] ? m->parent->seen[page] : 0;
	uint64_t addr = f->start + page * DN_PAGE_SIZE;
	const struct member *lender = NULL;
	int r = 0;

	m->seen[page] = h;
	if (v == h) {
		f->shared_pages += v != 0;
		return 0;
	}
	if (!v) {
		m->seen[page] = 0;
		return dn_runs_add(&m->space->absent, addr, 1, 0);
	}
	unsigned int class = (exact || h ? DN_RUN_EXACT : 0) | (v & ID_EXCLUSIVE ? 0 : DN_RUN_FORKED);
	if (needed(f, m, page)) {
		class |= DN_RUN_COMMON;
		m->seen[page] = v;
	} else if (m->last > (size_t)(m - f->members)) {
		lender = find_lender(f, m, page);
	}
	if (lender && lender->id[page] != h) {
		r = lend(m->space, lender->space->index, addr, (class & DN_RUN_EXACT) | DN_RUN_FORKED | DN_RUN_COMMON);
		class |= DN_RUN_EXACT;
		m->seen[page] = lender->id[page];
	}
	return r < 0 ? r : dn_runs_add(&m->space->runs, addr, 1, class);
}

static int decide(struct family *f, struct member *m, struct dn_error *err)
{
	const struct dn_space *s = m->space;
	size_t from, to;

	memset(m->seen, 0, f->pages * sizeof(*m->seen));
	for (size_t i = dn_space_find(s, f->start); i < s->count && s->maps[i].start < window_end(f); i++) {
		if (!dn_map_private(&s->maps[i]) || !in_window(f, &s->maps[i], &from, &to))
			continue;
		for (size_t k = from; k < to; k++) {
			if (!m->id[k] && !m->inherits[k])
				continue;
			/* Behind a page of zeroes of a file mapping the file would show through. */
			if (decide_page(f, m, k, s->maps[i].kind == DN__VMA__KIND__FILE_PRIVATE) < 0)
				return dn_error_set(err, -ENOMEM, "cannot note which pages process %d shares",
						    s->process->pid);
		}
	}
	return 0;
}

static int plan_window(struct family *f, struct dn_error *err)
{
	int r = 0;

	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < f->count && r >= 0; i++) {
			struct member *m = &f->members[i];
			if (!round)
				memset(m->id, 0, f->pages * sizeof(*m->id));
			if (m->pending.pages && m->pending.addr < window_end(f))
				r = look_at(f, m, round, err);
		}
	}
	for (size_t i = 0; i < f->count; i++)
		note_inherits(f, &f->members[i]);
	for (size_t i = 0; i < f->count && r >= 0; i++)
		r = decide(f, &f->members[i], err);
	return r;
}

/* ---- families ---- */

/* Moves on to the first run that reaches beyond addr. */
static int advance(struct member *m, uint64_t addr, struct dn_error *err)
{
	while (m->pending.pages && m->pending.addr < addr) {
		if (dn_run_clip(&m->pending, addr, UINT64_MAX))
			break;
		dn_scan_skip(&m->scan, addr);
		int r = dn_scan_next(&m->scan, &m->pending, err);
		if (r < 0)
			return r;
		if (r == 0)
			m->pending.pages = 0;
	}
	return 0;
}

static int plan_windows(struct family *f, struct dn_error *err)
{
	for (;;) {
		uint64_t first = UINT64_MAX;
		for (size_t i = 0; i < f->count; i++) {
			int r = advance(&f->members[i], f->start + f->pages * DN_PAGE_SIZE, err);
			if (r < 0)
				return r;
			if (f->members[i].pending.pages)
				first = DN_MIN(first, f->members[i].pending.addr);
		}
		if (first == UINT64_MAX)
			return 0;
		f->start = first;
		int r = plan_window(f, err);
		if (r < 0)
			return r;
	}
}

static int start_member(struct family *f, struct member *m, struct dn_error *err)
{
	m->id = calloc(f->pages, sizeof(*m->id));
	m->seen = calloc(f->pages, sizeof(*m->seen));
	m->inherits = calloc(f->pages, sizeof(*m->inherits));
	if (!m->id || !m->seen || !m->inherits)
		return dn_error_set(err, -ENOMEM, "cannot compare the pages of parents and children");
	int r = dn_scan_init(&m->scan, m->space, false, err);
	if (r >= 0)
		r = dn_scan_next(&m->scan, &m->pending, err);
	if (r == 0)
		m->pending.pages = 0;
	m->space->planned = true;
	return r < 0 ? r : 0;
}

static int plan_family(struct family *f, struct dn_error *err)
{
	size_t pages = WINDOW_PAGES_MAX;

	while (pages > WINDOW_PAGES_MIN && pages * f->count > WINDOW_WORDS)
		pages /= 2;
	f->pages = pages;
	f->start = 0;
	f->words = calloc(pages, sizeof(*f->words));
	f->alive = calloc(f->count, sizeof(*f->alive));
	f->branch = calloc(f->count, sizeof(*f->branch));
	f->content = malloc(DN_PAGE_SIZE);
	int r = f->words && f->alive && f->branch && f->content ? 0
								: dn_error_set(err, -ENOMEM, "cannot compare pages");
	for (size_t i = 0; i < f->count && r >= 0; i++)
		r = start_member(f, &f->members[i], err);
	/* Windows start at what is next at or after "the end of the last one". */
	f->start = -(f->pages * DN_PAGE_SIZE);
	return r < 0 ? r : plan_windows(f, err);
}

static void finish_family(struct family *f)
{
	for (size_t i = 0; i < f->count; i++) {
		struct member *m = &f->members[i];
		free(m->id);
		free(m->seen);
		free(m->inherits);
		dn_scan_finish(&m->scan);
	}
	free(f->members);
	free(f->words);
	free(f->alive);
	free(f->branch);
	free(f->content);
}

/* Collects the family of root. */
static int collect(struct dn_memory *memory, struct dn_space *root, struct family *f, struct dn_error *err)
{
	struct member **of = calloc(memory->count, sizeof(struct member *)); /* a space's member */
	size_t n = 0;

	f->members = calloc(memory->count - root->index, sizeof(*f->members));
	if (!of || !f->members) {
		free(of);
		return dn_error_set(err, -ENOMEM, "cannot compare the pages of parents and children");
	}
	for (size_t i = root->index; i < memory->count; i++) {
		struct dn_space *s = memory->spaces[i];
		struct member *parent = s->parent ? of[s->parent->index] : NULL;
		if (s != root && !parent)
			continue;
		of[i] = &f->members[n];
		f->members[n] = (struct member){ .space = s, .parent = parent, .last = n, .scan.pagemap = -1 };
		for (struct member *m = parent; m; m = m->parent)
			m->last = n;
		n++;
	}
	free(of);
	f->count = n;
	return 0;
}

static int plan_root(struct dn_memory *memory, struct dn_space *root, struct dn_error *err)
{
	struct family f = { .zero_frame = memory->zero_frame, .frames = memory->frames };

	int r = collect(memory, root, &f, err);
	if (r >= 0)
		r = plan_family(&f, err);
	memory->shared_pages += f.shared_pages;
	finish_family(&f);
	return r < 0 ? dn_error_wrap(err, "cannot find out what process %d shares with its children",
				     root->process->pid)
		     : 0;
}

int dn_memory_plan(struct dn_capture *c, struct dn_error *err)
{
	struct dn_memory *memory = c->memory;
	bool related = false;

	for (size_t i = 0; memory && i < memory->count; i++) {
		struct dn_space *s = memory->spaces[i], *parent = dn_memory_space(c, s->process->parent);
		if (!parent)
			continue;
		inherit_maps(s, parent);
		if (s->parent)
			parent->heirs = related = true;
	}
	if (!related)
		return 0;
	for (size_t i = 0; i < memory->count; i++) {
		struct dn_space *s = memory->spaces[i];
		int r = s->heirs && !s->parent ? plan_root(memory, s, err) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}
