/* SPDX-License-Identifier: BSD-3-Clause */
/* quiet.h - writing without the signals that it may bring */
#pragma once

#include <stdint.h>

/* Writes everything at offset (-1: where the descriptor stands); 0 or -errno.  SIGPIPE, and SIGXFSZ at the
 * largest size of a file, do not reach the caller: -EPIPE and -EFBIG do.  Waits where the descriptor does
 * not. */
int dn_write_quietly(int fd, const void *data, uint64_t len, int64_t offset);
/* ftruncate() without SIGXFSZ; 0 or -errno. */
int dn_truncate_quietly(int fd, uint64_t size);
