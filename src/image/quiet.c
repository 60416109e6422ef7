/* SPDX-License-Identifier: BSD-3-Clause */
/* quiet.c - writing without the signals that it may bring
 *
 * The library must not change how its caller takes SIGPIPE and SIGXFSZ, and must not let them kill it.  Both go
 * to the thread that wrote: it blocks them while it writes, and takes what came off the queue.
 */
#include "image/quiet.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"

#define LOOK_MS 50 /* how soon a cancelled write is given up */

static void begin_quiet(sigset_t *ret_quiet, sigset_t *ret_old)
{
	sigemptyset(ret_quiet);
	sigaddset(ret_quiet, SIGPIPE);
	sigaddset(ret_quiet, SIGXFSZ);
	pthread_sigmask(SIG_BLOCK, ret_quiet, ret_old);
}

/* code: the errno that the call failed with, 0 if it did not. */
static void end_quiet(const sigset_t *quiet, const sigset_t *old, int code)
{
	const struct timespec now = {};

	if (code == EPIPE || code == EFBIG)
		while (sigtimedwait(quiet, NULL, &now) < 0 && errno == EINTR)
			;
	pthread_sigmask(SIG_SETMASK, old, NULL);
}

static ssize_t write_once(int fd, const void *data, uint64_t len, int64_t offset)
{
	sigset_t quiet, old;

	begin_quiet(&quiet, &old);
	ssize_t n = offset < 0 ? write(fd, data, len) : pwrite(fd, data, len, offset);
	int code = n < 0 ? errno : 0;
	end_quiet(&quiet, &old, code);
	return n < 0 ? -code : n;
}

int dn_truncate_quietly(int fd, uint64_t size)
{
	sigset_t quiet, old;

	begin_quiet(&quiet, &old);
	int code = ftruncate(fd, (off_t)size) < 0 ? errno : 0;
	end_quiet(&quiet, &old, code);
	return -code;
}

int dn_allocate_quietly(int fd, uint64_t size)
{
	sigset_t quiet, old;

	begin_quiet(&quiet, &old);
	int code;
	do
		code = fallocate(fd, 0, 0, (off_t)size) < 0 ? errno : 0;
	while (code == EINTR);
	end_quiet(&quiet, &old, code);
	return -code;
}

int dn_write_quietly(int fd, const void *data, uint64_t len, int64_t offset)
{
	const unsigned char *p = data;

	while (len > 0) {
		ssize_t n = write_once(fd, p, len, offset);
		if (n == -EINTR)
			continue;
		if (n == -EAGAIN) {
			struct pollfd wait = { .fd = fd, .events = POLLOUT };
			poll(&wait, 1, -1);
			continue;
		}
		if (n < 0)
			return (int)n;
		p += n;
		len -= (uint64_t)n;
		if (offset >= 0)
			offset += n;
	}
	return 0;
}

/* Writes what fits.  A signal that comes just before a write that blocks would go unseen: never block. */
static ssize_t write_some(int fd, const void *data, uint64_t len)
{
	const struct iovec io = { (void *)data, len };
	sigset_t quiet, old;

	begin_quiet(&quiet, &old);
	ssize_t n = pwritev2(fd, &io, 1, -1, RWF_NOWAIT);
	int code = n < 0 ? errno : 0;
	end_quiet(&quiet, &old, code);
	if (code != EOPNOTSUPP && code != EINVAL && code != ENOSYS)
		return n < 0 ? -code : n;
	/* Before Linux 6.4.  A pipe that poll calls writable has room for this much. */
	struct pollfd room = { .fd = fd, .events = POLLOUT };
	if (poll(&room, 1, 0) <= 0)
		return -EAGAIN;
	return write_once(fd, data, DN_MIN(len, (uint64_t)PIPE_BUF), -1);
}

int dn_write_pipe_quietly(int fd, const void *data, uint64_t len, const volatile int *cancel)
{
	const unsigned char *p = data;

	while (len > 0) {
		if (cancel && *cancel)
			return -EINTR;
		ssize_t n = write_some(fd, p, len);
		if (n == -EAGAIN) {
			struct pollfd wait = { .fd = fd, .events = POLLOUT };
			poll(&wait, 1, LOOK_MS);
		} else if (n < 0 && n != -EINTR) {
			return (int)n;
		} else if (n > 0) {
			p += n;
			len -= (uint64_t)n;
		}
	}
	return 0;
}

int dn_await_readers(int fd, const volatile int *cancel)
{
	for (int ms = 0;; ms = DN_MIN(ms + 1, LOOK_MS)) {
		struct pollfd readers = { .fd = fd };
		int left;
		/* In this order: who has gone by now reads no more. */
		bool gone = poll(&readers, 1, ms) > 0;
		if (ioctl(fd, FIONREAD, &left) < 0)
			return -errno;
		if (left == 0)
			return 0;
		if (gone)
			return -EPIPE;
		if (cancel && *cancel)
			return -EINTR;
	}
}
