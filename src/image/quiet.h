/* SPDX-License-Identifier: BSD-3-Clause */
/* quiet.h - writing without the signals that it may bring */
#pragma once

#include <stdint.h>

/* Writes everything at offset (-1: where the descriptor stands); 0 or -errno.  SIGPIPE, and SIGXFSZ at the
 * largest size of a file, do not reach the caller: -EPIPE and -EFBIG do.  Waits where the descriptor does
 * not. */
int dn_write_quietly(int fd, const void *data, uint64_t len, int64_t offset);
/* The same into a pipe, and gives up with -EINTR soon after *cancel (may be NULL) has been set. */
int dn_write_pipe_quietly(int fd, const void *data, uint64_t len, const volatile int *cancel);
/* Waits until all that is in a pipe has been read: -EPIPE if its last reader went without. */
int dn_await_readers(int fd, const volatile int *cancel);
/* ftruncate() without SIGXFSZ; 0 or -errno. */
int dn_truncate_quietly(int fd, uint64_t size);
/* fallocate() from 0 to size without it. */
int dn_allocate_quietly(int fd, uint64_t size);
