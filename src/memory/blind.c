/* SPDX-License-Identifier: BSD-3-Clause */
/* blind.c - objects that dunlin may not open (it is not root): what processes have mapped of them
 *
 * Page tables do not tell what is in shared memory: a page that a process has not touched, or whose
 * toucher is gone, is in none.  So the process is made to ask mincore(2), which looks at the object itself.
 * It knows neither what is swapped out nor what lies on a disk: there every page up to the end is taken.
 * The end of the object is found by MADV_POPULATE_READ, which fails where an access would be a SIGBUS.
 * Shared mappings come first; private ones show the object where the process has no page of its own.
 */
#include <errno.h>
#include <sys/syscall.h>

#include "base/util.h"
#include "memory/scan.h"

#define WINDOW_PAGES ((size_t)DN_LEADER_SLOT_DATA) /* mincore gives a byte for each */

struct look {
	struct dn_capture *c;
	struct dn_object *object;
	size_t index;	     /* of the object */
	unsigned char *seen; /* a bit for each of its pages that was met */
	uint64_t pages;	     /* of the object */
	unsigned char core[WINDOW_PAGES];
	uint64_t words[WINDOW_PAGES];
};

/* Pages from addr on, of a mapping in a space. */
struct window {
	const struct dn_space *space;
	const struct dn_map *map;
	uint64_t addr;
	size_t count;
};

static uint64_t map_pages(const struct dn_map *m)
{
	return (m->end - m->start) / DN_PAGE_SIZE;
}

static bool is_of(const struct dn_map *m, const struct dn_object *o)
{
	return (m->kind == DN__VMA__KIND__FILE_SHARED || m->kind == DN__VMA__KIND__FILE_PRIVATE) && m->dev == o->dev &&
	       m->ino == o->ino;
}

static bool is_guarded(const struct dn_space *s, uint64_t addr)
{
	size_t i = dn_runs_find(&s->guards, addr);
	struct dn_run run;

	if (i == s->guards.count)
		return false;
	dn_runs_get(&s->guards, i, &run);
	return run.addr <= addr;
}

/* ---- the end ---- */

/* 1: there is a page at addr, 0: an access would be a SIGBUS. */
static int has_page(const struct window *w, uint64_t addr, struct dn_error *err)
{
	long result;

	int r = dn_remote_call(w->space->process->threads[0]->remote, "look for the end of a file", &result, err,
			       SYS_madvise, (const uint64_t[6]){ addr, DN_PAGE_SIZE, MADV_POPULATE_READ });
	return r < 0 ? r : result != -EFAULT;
}

static int read_core(struct look *l, const struct window *w, struct dn_error *err)
{
	struct dn_batch b;
	void *local;

	dn_batch_begin(&b, w->space->process->threads[0]->remote);
	uint64_t at = dn_batch_alloc(&b, w->count, &local);
	dn_batch_call(&b, "ask which pages are there", SYS_mincore, w->addr, w->count * DN_PAGE_SIZE, at);
	int r = dn_batch_run(&b, err);
	if (r >= 0)
		memcpy(l->core, local, w->count);
	return r;
}

/* Does the object end within this mapping?  Then it is no larger than that. */
static int find_end(struct look *l, const struct dn_space *s, const struct dn_map *m, struct dn_error *err)
{
	struct window w = { s, m, m->end - DN_PAGE_SIZE, 1 };
	uint64_t low = 0, high = map_pages(m) - 1;

	/* A guard region fails as well; nothing can be populated without the right to read. */
	if (!(m->prot & PROT_READ) || m->huge_shift || is_guarded(s, w.addr))
		return 0;
	int r = read_core(l, &w, err);
	if (r < 0 || l->core[0] & 1)
		return r;
	r = has_page(&w, w.addr, err);
	if (r != 0)
		return r < 0 ? r : 0;
	while (low < high) { /* all below low are there, none from high on */
		uint64_t middle = low + (high - low) / 2, addr = m->start + middle * DN_PAGE_SIZE;
		r = is_guarded(s, addr) ? 1 : has_page(&w, addr, err);
		if (r < 0)
			return r;
		if (r)
			low = middle + 1;
		else
			high = middle;
	}
	l->object->message.size = DN_MIN(l->object->message.size, m->offset + low * DN_PAGE_SIZE);
	return 0;
}

/* ---- what is there ---- */

static bool take_seen(struct look *l, uint64_t page)
{
	unsigned char bit = (unsigned char)(1u << page % 8), *at = &l->seen[page / 8];

	if (*at & bit)
		return false;
	*at |= bit;
	return true;
}

static int take_window(struct look *l, const struct window *w, struct dn_view *view, bool guarded, struct dn_error *err)
{
	const struct dn_map *m = w->map;
	uint64_t first = (m->offset + w->addr - m->start) / DN_PAGE_SIZE;
	bool guards = w->space->guards.count;

	for (size_t i = 0; i < w->count && first + i < l->pages; i++) {
		uint64_t addr = w->addr + i * DN_PAGE_SIZE;
		bool own = m->kind == DN__VMA__KIND__FILE_PRIVATE && dn_scan_is_private(l->words[i], 0);
		if (!(l->core[i] & 1) || own || (guards && is_guarded(w->space, addr)) != guarded)
			continue;
		if (!take_seen(l, first + i))
			continue;
		if (guarded)
			return dn_error_refuse(err,
					       "process %d has a guard region at 0x%lx over shared memory, which only "
					       "root can capture",
					       w->space->process->pid, addr);
		if (dn_runs_add(&view->runs, addr, 1, DN_RUN_PLAIN) < 0)
			return dn_error_set(err, -ENOMEM, "cannot note what is in shared memory");
	}
	return 0;
}

static int take_map(struct look *l, const struct dn_space *s, const struct dn_map *m, struct dn_view *view,
		    bool guarded, struct dn_error *err)
{
	bool all = m->swapped || l->object->message.kind == DN__OBJECT__KIND__GHOST;
	struct dn_scan scan = { .pagemap = -1 };
	int r = dn_scan_init(&scan, s, false, err);

	for (uint64_t at = m->start; at < m->end && r >= 0; at += WINDOW_PAGES * DN_PAGE_SIZE) {
		struct window w = { s, m, at, DN_MIN(WINDOW_PAGES, (m->end - at) / DN_PAGE_SIZE) };
		if (m->offset + at - m->start >= l->object->message.size)
			break;
		if (all)
			memset(l->core, 1, w.count);
		else
			r = read_core(l, &w, err);
		if (r >= 0 && m->kind == DN__VMA__KIND__FILE_PRIVATE)
			r = dn_scan_words(&scan, w.addr, l->words, w.count, err);
		if (r >= 0)
			r = take_window(l, &w, view, guarded, err);
	}
	dn_scan_finish(&scan);
	return r;
}

/* ---- objects ---- */

static struct dn_view *add_view(struct look *l, size_t space, const struct dn_map *m, struct dn_error *err)
{
	struct dn_memory *memory = l->c->memory;

	if (dn_grow(&memory->views, &memory->view_cap, memory->view_count, sizeof(*memory->views)) < 0) {
		dn_error_set(err, -ENOMEM, "cannot note what is in shared memory");
		return NULL;
	}
	struct dn_view *v = &memory->views[memory->view_count++];
	*v = (struct dn_view){ .object = l->index, .space = space, .start = m->start, .offset = m->offset };
	return v;
}

typedef int look_step(struct look *l, size_t space, const struct dn_map *m, struct dn_error *err);

static int step_end(struct look *l, size_t space, const struct dn_map *m, struct dn_error *err)
{
	return find_end(l, l->c->memory->spaces[space], m, err);
}

static int step_take(struct look *l, size_t space, const struct dn_map *m, struct dn_error *err)
{
	struct dn_view *view = add_view(l, space, m, err);

	return view ? take_map(l, l->c->memory->spaces[space], m, view, false, err) : -ENOMEM;
}

static int step_guards(struct look *l, size_t space, const struct dn_map *m, struct dn_error *err)
{
	const struct dn_space *s = l->c->memory->spaces[space];

	return s->guards.count ? take_map(l, s, m, NULL, true, err) : 0;
}

static int for_maps(struct look *l, bool shared, look_step *step, struct dn_error *err)
{
	const struct dn_memory *memory = l->c->memory;
	int r = 0;

	for (size_t i = 0; i < memory->count; i++) {
		const struct dn_space *s = memory->spaces[i];
		for (size_t k = 0; k < s->count && r >= 0; k++)
			if (is_of(&s->maps[k], l->object) && shared == (s->maps[k].kind == DN__VMA__KIND__FILE_SHARED))
				r = step(l, i, &s->maps[k], err);
	}
	return r;
}

static int look_at_object(struct look *l, struct dn_error *err)
{
	struct dn_object *o = l->object;
	int r = 0;

	if (o->message.kind != DN__OBJECT__KIND__SHARED) {
		r = for_maps(l, true, step_end, err);
		if (r >= 0)
			r = for_maps(l, false, step_end, err);
	}
	l->pages = DN_ALIGN_UP(o->message.size, DN_PAGE_SIZE) / DN_PAGE_SIZE;
	/* Memory that is never touched costs nothing, so a bit for each page is cheap for sparse ones too. */
	l->seen = calloc(l->pages / 8 + 1, 1);
	if (!l->seen)
		return dn_error_set(err, -ENOMEM, "cannot read shared memory");
	if (r >= 0)
		r = for_maps(l, true, step_take, err);
	if (r >= 0)
		r = for_maps(l, false, step_take, err);
	if (r >= 0)
		r = for_maps(l, true, step_guards, err);
	if (r >= 0)
		r = for_maps(l, false, step_guards, err);
	free(l->seen);
	return r < 0 ? r : 0;
}

int dn_memory_look_at_objects(struct dn_capture *c, struct dn_error *err)
{
	_cleanup_free_ struct look *l = NULL;
	size_t count;
	struct dn_object *objects = dn_objects(c, &count);
	int r = 0;

	for (size_t i = 0; i < count && r >= 0; i++) {
		if (objects[i].fd >= 0)
			continue;
		if (!l && !(l = calloc(1, sizeof(*l))))
			return dn_error_set(err, -ENOMEM, "cannot read shared memory");
		l->c = c;
		l->object = &objects[i];
		l->index = i;
		r = look_at_object(l, err);
	}
	return r;
}
