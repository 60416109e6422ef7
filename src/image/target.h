/* SPDX-License-Identifier: BSD-3-Clause */
/* target.h - the file that an image becomes, under a temporary name until it is complete */
#pragma once

#include <stdbool.h>

#include "base/error.h"

struct dn_target {
	char *path;	/* as the user named it, for messages */
	char *folder;	/* "." if path has none */
	char *name;	/* the last component of path */
	char temp[256]; /* temporary name in folder, "" if there is none (any more) */
	int folder_fd;
	int fd;	       /* write only, locked with flock() where the file system can */
	int direct_fd; /* the same file with O_DIRECT, -1 where that is no use */
};

#define DN_TARGET_INIT                                                                                                 \
	{                                                                                                              \
		.folder_fd = -1, .fd = -1, .direct_fd = -1                                                             \
	}

/* Creates the temporary file next to path (mode 0600).  Temporary files for the same path that a
 * killed process left are removed. */
int dn_target_create(struct dn_target *t, const char *path, struct dn_error *err);

/* Syncs the file, gives it its name and syncs the folder. */
int dn_target_commit(struct dn_target *t, struct dn_error *err);

/* Closes; removes the temporary file if it was not committed. */
void dn_target_finish(struct dn_target *t);
