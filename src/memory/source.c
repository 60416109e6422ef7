/* SPDX-License-Identifier: BSD-3-Clause */
/* source.c - what pages there are to be stored, a record's worth at a time
 *
 * Three kinds of places give pieces: spaces that were planned (runs noted by plan.c), spaces that were
 * not (the page tables are scanned now), and objects (extents of data in their file; or, where dunlin
 * could not open that, what processes have of it in their shared mappings).
 */
#include "memory/source.h"

#include <errno.h>

#include "base/util.h"

void dn_source_init(struct dn_source *s, struct dn_capture *c)
{
	memset(s, 0, offsetof(struct dn_source, scan));
	s->c = c;
	s->stage = DN_PAGES_COMMON;
	s->scan.pagemap = -1;
	s->offset = 0;
	s->view = 0;
	s->objects = dn_objects(c, &s->object_count);
}

void dn_source_finish(struct dn_source *s)
{
	dn_scan_finish(&s->scan);
}

static void put_piece(struct dn_source *s, const struct dn_map *m, const struct dn_run *run, unsigned int class)
{
	s->rest = (struct dn_piece){
		.from = run->addr,
		.addr = run->addr,
		.exact = class & DN_RUN_EXACT,
		.by_mem = m && (!(m->prot & PROT_READ) || class & DN_RUN_FORKED),
	};
	s->rest_pages = run->pages;
}

/* ---- planned spaces ---- */

/* Where the pages of a planned space are to be read. */
static const struct dn_space *lender(const struct dn_source *s, const struct dn_space *space)
{
	return s->loan ? s->c->memory->spaces[space->loans[s->loan - 1].from] : space;
}

static int next_planned(struct dn_source *s, const struct dn_space *borrower)
{
	const struct dn_space *space = lender(s, borrower);
	const struct dn_runs *runs = s->loan ? &borrower->loans[s->loan - 1].runs : &borrower->runs;

	for (;;) {
		while (!s->left.pages) {
			if (s->run == runs->count)
				return 0;
			s->left_class = dn_runs_get(runs, s->run++, &s->left);
			if (!(s->left_class & DN_RUN_COMMON) == (s->stage == DN_PAGES_COMMON))
				s->left.pages = 0;
		}
		while (s->map < space->count && space->maps[s->map].end <= s->left.addr)
			s->map++;
		struct dn_run run = s->left;
		if (s->map == space->count || !dn_run_clip(&run, space->maps[s->map].start, space->maps[s->map].end)) {
			s->left.pages = 0;
			continue;
		}
		put_piece(s, &space->maps[s->map], &run, s->left_class);
		if (!dn_run_clip(&s->left, run.addr + run.pages * DN_PAGE_SIZE, UINT64_MAX))
			s->left.pages = 0;
		return 1;
	}
}

/* ---- others ---- */

static int next_scanned(struct dn_source *s, const struct dn_space *space, struct dn_error *err)
{
	struct dn_run run;
	int r;

	if (!s->started) {
		r = dn_scan_init(&s->scan, space, false, err);
		if (r < 0)
			return r;
		s->started = true;
	}
	r = dn_scan_next(&s->scan, &run, err);
	if (r <= 0) {
		dn_scan_finish(&s->scan);
		return r;
	}
	const struct dn_map *m = &space->maps[s->scan.map];
	/* Behind a page of zeroes of a file mapping the file would show through. */
	put_piece(s, m, &run,
		  (m->kind == DN__VMA__KIND__FILE_PRIVATE ? DN_RUN_EXACT : 0u) | (m->forked ? DN_RUN_FORKED : 0u));
	return 1;
}

static int next_of_space(struct dn_source *s, const struct dn_space *space, struct dn_error *err)
{
	if (space->planned)
		return next_planned(s, space);
	if (s->stage == DN_PAGES_COMMON)
		return 0;
	return next_scanned(s, space, err);
}

/* ---- objects ---- */

static int next_of_file(struct dn_source *s, const struct dn_object *o, struct dn_error *err)
{
	uint64_t size = o->message.size;

	if (s->offset >= size)
		return 0;
	off_t data = o->borrowed ? -1 : lseek(o->fd, (off_t)s->offset, SEEK_DATA);
	if (data < 0 && !o->borrowed && errno == ENXIO)
		return 0;
	off_t hole = data < 0 ? -1 : lseek(o->fd, data, SEEK_HOLE);
	if (data < 0 || hole < 0) /* not to be asked, or no such calls there: it is all data */
		data = (off_t)s->offset, hole = (off_t)size;
	uint64_t from = DN_ALIGN_DOWN(DN_MAX((uint64_t)data, s->offset), DN_PAGE_SIZE);
	uint64_t to = DN_ALIGN_UP(DN_MIN((uint64_t)hole, size), DN_PAGE_SIZE);
	if (from >= to)
		return from >= size ? 0 : dn_error_say(err, -EIO, "cannot find the data of %s", o->message.name);
	s->offset = to;
	put_piece(s, NULL, &(struct dn_run){ .addr = from, .pages = (to - from) / DN_PAGE_SIZE }, DN_RUN_PLAIN);
	return 1;
}

/* The view at work; NULL when there are no more of this object. */
static const struct dn_view *view_of(struct dn_source *s)
{
	const struct dn_memory *memory = s->c->memory;

	while (memory && s->view < memory->view_count && memory->views[s->view].object < s->at)
		s->view++;
	if (!memory || s->view == memory->view_count || memory->views[s->view].object != s->at)
		return NULL;
	return &memory->views[s->view];
}

static const struct dn_space *space_of(struct dn_source *s)
{
	const struct dn_view *view = view_of(s);

	return view ? s->c->memory->spaces[view->space] : NULL;
}

static int next_through_mappings(struct dn_source *s)
{
	const struct dn_view *view;
	struct dn_run run;

	for (; (view = view_of(s)); s->view++, s->run = 0) {
		if (s->run == view->runs.count)
			continue;
		dn_runs_get(&view->runs, s->run++, &run);
		const struct dn_space *space = s->c->memory->spaces[view->space];
		put_piece(s, &space->maps[dn_space_find(space, run.addr)], &run, DN_RUN_PLAIN);
		s->rest.addr = run.addr - view->start + view->offset;
		return 1;
	}
	return 0;
}

static int next_of_object(struct dn_source *s, const struct dn_object *o, struct dn_error *err)
{
	if (o->fd >= 0)
		return next_of_file(s, o, err);
	return next_through_mappings(s);
}

/* ---- chunks ---- */

static size_t places(const struct dn_source *s)
{
	if (s->stage == DN_PAGES_OBJECT)
		return s->object_count;
	return s->c->memory ? s->c->memory->count : 0;
}

/* From the end of a stage to the start of the next one that has anything. */
static void settle(struct dn_source *s)
{
	while (s->at >= places(s) && s->stage != DN_PAGES_OBJECT) {
		s->stage++;
		s->at = 0;
	}
}

static void next_place(struct dn_source *s)
{
	dn_source_finish(s);
	bool more = s->stage == DN_PAGES_COMMON && s->loan < s->c->memory->spaces[s->at]->loan_count;
	s->loan = more ? s->loan + 1 : 0;
	s->at += !more;
	s->started = false;
	s->run = s->map = 0;
	s->left = (struct dn_run){};
	s->offset = 0;
	settle(s);
}

static int next_piece(struct dn_source *s, struct dn_error *err)
{
	if (s->stage == DN_PAGES_OBJECT)
		return next_of_object(s, &s->objects[s->at], err);
	return next_of_space(s, s->c->memory->spaces[s->at], err);
}

static void begin_chunk(struct dn_source *s, struct dn_chunk *chunk)
{
	chunk->stage = s->stage;
	chunk->pieces = chunk->pages = 0;
	chunk->object = NULL;
	chunk->process = NULL;
	if (s->stage != DN_PAGES_OBJECT) {
		const struct dn_space *space = s->c->memory->spaces[s->at];
		chunk->process = lender(s, space)->process;
		chunk->owner = (uint32_t)space->process->pid;
		return;
	}
	chunk->object = &s->objects[s->at];
	chunk->owner = chunk->object->message.id;
	if (chunk->object->fd < 0 && space_of(s))
		chunk->process = space_of(s)->process;
}

/* Moves as much of the piece at hand as fits. */
static void fill_chunk(struct dn_source *s, struct dn_chunk *chunk)
{
	unsigned int n = (unsigned int)DN_MIN(s->rest_pages, (uint64_t)(DN_CHUNK_PAGES - chunk->pages));

	chunk->piece[chunk->pieces] = s->rest;
	chunk->piece[chunk->pieces++].pages = n;
	chunk->pages += n;
	s->rest.from += n * DN_PAGE_SIZE;
	s->rest.addr += n * DN_PAGE_SIZE;
	s->rest_pages -= n;
}

/* An object that is read through mappings: one process in a chunk, and offsets in order. */
static bool continues(struct dn_source *s, const struct dn_chunk *chunk)
{
	const struct dn_piece *last = &chunk->piece[chunk->pieces - 1];

	if (!chunk->object || chunk->object->fd >= 0)
		return true;
	return chunk->process == space_of(s)->process && s->rest.addr >= last->addr + last->pages * DN_PAGE_SIZE;
}

int dn_source_next(struct dn_source *s, struct dn_chunk *chunk, struct dn_error *err)
{
	for (settle(s); s->at < places(s); next_place(s)) {
		chunk->pieces = chunk->pages = 0;
		while (chunk->pages < DN_CHUNK_PAGES) {
			int r = s->rest_pages ? 1 : next_piece(s, err);
			if (r < 0)
				return r;
			if (r == 0)
				break;
			if (!chunk->pieces)
				begin_chunk(s, chunk);
			else if (!continues(s, chunk))
				return 1;
			fill_chunk(s, chunk);
		}
		if (chunk->pieces)
			return 1;
	}
	return 0;
}
