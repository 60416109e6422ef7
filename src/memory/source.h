/* SPDX-License-Identifier: BSD-3-Clause */
/* source.h - what pages there are to be stored, a record's worth at a time */
#pragma once

#include "memory/scan.h"
#include "memory/space.h"

/* One run of a chunk: where its pages are now, and what they are called in the image. */
struct dn_piece {
	uint64_t from; /* address in the process, or offset in the object's file */
	uint64_t addr; /* address or offset for the image */
	uint32_t pages;
	bool exact;  /* zeroes count */
	bool by_mem; /* not to be read by process_vm_readv, see dump.c */
};

/* The pages of one page record to be. */
struct dn_chunk {
	enum dn_page_stage stage;
	uint32_t owner;		    /* pid or object id */
	struct dn_process *process; /* whose memory is to be read; NULL: object */
	const struct dn_object *object;
	unsigned int pieces, pages;
	struct dn_piece piece[DN_CHUNK_PAGES];
};

/* Walks all that is to be stored: COMMON pages of all processes, OWN pages, objects. */
struct dn_source {
	struct dn_capture *c;
	enum dn_page_stage stage;
	size_t at;	      /* index of the space, or of the object, at work */
	bool started;	      /* at work on it indeed */
	struct dn_piece rest; /* what the last chunk had no room for; pages 0: nothing */
	uint64_t rest_pages;
	size_t loan;	    /* planned spaces: of what it lends; 0: its own */
	size_t run;	    /* planned spaces: the next run ... */
	struct dn_run left; /* ... and what is left of the one before */
	unsigned int left_class;
	size_t map;	     /* the mapping that it may lie in */
	struct dn_scan scan; /* spaces that were not planned */
	uint64_t offset;     /* in the object's file */
	size_t view;	     /* objects that are read through mappings: of memory->views */
	struct dn_object *objects;
	size_t object_count;
};

void dn_source_init(struct dn_source *s, struct dn_capture *c);
void dn_source_finish(struct dn_source *s);
/* Fills *chunk.  1, or 0 at the end, or -errno. */
int dn_source_next(struct dn_source *s, struct dn_chunk *chunk, struct dn_error *err);
