/* SPDX-License-Identifier: BSD-3-Clause */
/* inspect.h - what the two ways to show an image share */
#pragma once

#include <stdio.h>

#include "image/contents.h"

/* What is counted before anything is shown. */
struct dn_summary {
	const struct dn_image *image;
	const char *path; /* as the user named it */
	size_t threads, mappings, descriptors;
	uint64_t mapped; /* bytes of address space */
	uint64_t pages;
	struct dn_process_summary {
		uint64_t common, own; /* pages of these two stages */
		uint64_t mapped, inherited_mappings;
		/* The tree, as indices; 0 (the root, which is nobody's child): none. */
		size_t parent, first_child, last_child, next_sibling;
	} * processes;		/* in the order of the image */
	uint64_t *object_pages; /* in the order of objects_by_id */
};

extern const char *const dn_vma_kind_names[];
#define DN_VMA_KINDS 6

const char *dn_process_state_name(const Dn__Process *p);
const char *dn_object_kind_name(const Dn__Object *o);
/* "r", "w", "rw" or "path" (O_PATH). */
const char *dn_file_access_name(const Dn__File *f);
/* The name of a process: that of its leader. */
void dn_process_name(const struct dn_image_process *p, char name[17]);
/* What a file is, in one line: its path, or what stands for one. */
void dn_file_describe(const struct dn_image *image, uint32_t id, char *text, size_t size);

int dn_inspect_text(const struct dn_summary *s, FILE *out);
int dn_inspect_json(const struct dn_summary *s, FILE *out);
