/* SPDX-License-Identifier: BSD-3-Clause */
/* context.h - what one capture and one restore carry along */
#pragma once

#include <stdbool.h>

#include "dunlin.h"
#include "image/image.h"
#include "resource/resource.h"
#include "tracee/tracee.h"

struct dn_task_memo;  /* what the task drivers read or said once (resource/tasks.h) */
struct dn_file_table; /* file descriptions met so far (resource/filetable.h) */
struct dn_open_files; /* files opened for the processes to be (resource/fileopen.h) */

/* One running capture. */
struct dn_capture {
	const struct dn_checkpoint_options *options;
	struct dn_image_writer *writer;
	struct dn_process **processes; /* parents before children; [0] is the root; zombies too */
	size_t process_count, process_cap;
	struct dn_file_table *files; /* NULL until the first descriptor */
	struct dn_memory *memory;    /* memory/memory.h */
	struct dn_task_memo *tasks;  /* NULL until needed */
};

/* -EINTR once the caller does not want it any more. */
int dn_capture_cancelled(const struct dn_capture *c, struct dn_error *err);

/* Is this pid one of the tree's processes? */
struct dn_process *dn_capture_process(struct dn_capture *c, pid_t pid);

/* One running restore. */
struct dn_restore {
	const struct dn_restart_options *options;
	struct dn_image *image;
	struct dn_process **seeds; /* in the order of dn_image_processes(); NULL until created */
	size_t seed_count;
	struct dn_task_memo *tasks;	  /* NULL until needed */
	struct dn_open_files *files;	  /* NULL until dn_files_check */
	struct dn_memory_restore *memory; /* memory/memory.h; NULL until dn_memory_check */
	struct dn_arena *arena;		  /* shared by dunlin and all seeds */
	uint64_t arena_start, arena_end;  /* the hole where every seed has dunlin's arena */
	bool terminal_given;		  /* it is in the foreground of dunlin's terminal */
	bool has_standard[3];		  /* were 0, 1 and 2 open when the restart began? */
	int standard[3];		  /* restart's own 0, 1, 2, moved out of the way; -1: closed */
};
