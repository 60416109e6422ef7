/* SPDX-License-Identifier: BSD-3-Clause */
/* spool.h - an image from wherever it comes as a seekable file */
#pragma once

#include "base/error.h"

/* Opens path ("-": standard input) for reading at any offset.  What is no regular file is copied to
 * its end into an unlinked file in $TMPDIR, or else /var/tmp. */
int dn_spool_open(const char *path, int *ret_fd, struct dn_error *err);
