/* SPDX-License-Identifier: BSD-3-Clause */
/* util.h - cleanup attributes, sizes, allocation, whole reads and writes */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define DN_PAGE_SIZE 4096UL
#define DN_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define DN_MIN(a, b) ((a) < (b) ? (a) : (b))
#define DN_MAX(a, b) ((a) > (b) ? (a) : (b))
#define DN_ALIGN_UP(v, to) (((v) + (to)-1) / (to) * (to))
#define DN_ALIGN_DOWN(v, to) ((v) / (to) * (to))
#define DN_STEAL_FD(fd)                                                                                                \
	({                                                                                                             \
		int fd_ = (fd);                                                                                        \
		(fd) = -1;                                                                                             \
		fd_;                                                                                                   \
	})
#define DN_STEAL(p)                                                                                                    \
	({                                                                                                             \
		__auto_type p_ = (p);                                                                                  \
		(p) = NULL;                                                                                            \
		p_;                                                                                                    \
	})

static inline void dn_cleanup_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void dn_cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void dn_cleanup_file(FILE **f)
{
	if (*f)
		fclose(*f);
}

#define _cleanup_fd_ __attribute__((cleanup(dn_cleanup_fd)))
#define _cleanup_free_ __attribute__((cleanup(dn_cleanup_free)))
#define _cleanup_file_ __attribute__((cleanup(dn_cleanup_file)))

/* Grows *array (of elements of size bytes) so that index count fits; capacity is kept in *cap.
 * Returns 0 or -ENOMEM (then nothing changed).  New elements are zeroed. */
int dn_grow(void *array, size_t *cap, size_t count, size_t size);

/* Reads until len bytes or end of file; returns bytes read or -errno.  EINTR is retried. */
ssize_t dn_read_full(int fd, void *buf, size_t len);
ssize_t dn_pread_full(int fd, void *buf, size_t len, off_t offset);
/* Writes everything; 0 or -errno. */
int dn_write_full(int fd, const void *buf, size_t len);
int dn_pwrite_full(int fd, const void *buf, size_t len, off_t offset);

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t dn_now_ns(void);
