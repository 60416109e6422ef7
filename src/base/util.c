/* SPDX-License-Identifier: BSD-3-Clause */
/* util.c - allocation, whole reads and writes */
#include "base/util.h"

#include <errno.h>
#include <time.h>

int dn_grow(void *array, size_t *cap, size_t count, size_t size)
{
	void **p = array;

	if (count < *cap)
		return 0;
	size_t n = DN_MAX(count + 1, *cap + *cap / 2 + 8);
	char *fresh = reallocarray(*p, n, size);
	if (!fresh)
		return -ENOMEM;
	memset(fresh + *cap * size, 0, (n - *cap) * size);
	*p = fresh;
	*cap = n;
	return 0;
}

ssize_t dn_read_full(int fd, void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = read(fd, (char *)buf + done, len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

ssize_t dn_pread_full(int fd, void *buf, size_t len, off_t offset)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(fd, (char *)buf + done, len - done, offset + (off_t)done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

int dn_write_full(int fd, const void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = write(fd, (const char *)buf + done, len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO;
		done += (size_t)n;
	}
	return 0;
}

int dn_pwrite_full(int fd, const void *buf, size_t len, off_t offset)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pwrite(fd, (const char *)buf + done, len - done, offset + (off_t)done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0) /* the memory of a process that is gone */
			return -EIO;
		done += (size_t)n;
	}
	return 0;
}

uint64_t dn_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}
