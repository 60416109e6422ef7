/* SPDX-License-Identifier: BSD-3-Clause */
/* spool.c - an image from wherever it comes as a seekable file
 *
 * A restart needs the end of the image (the commit record) before it may start anything, and its pages
 * out of order: what comes through a pipe is copied to a file that has no name and vanishes with dunlin.
 */
#include "image/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/util.h"
#include "image/format.h"
#include "image/quiet.h"

#define COPY_SIZE (1u << 20)

static int say_spool_failed(const char *name, const char *folder, int code, struct dn_error *err)
{
	if (code == -ENOSPC || code == -EDQUOT || code == -EFBIG)
		return dn_error_set(
			err, code,
			"no room in %s for the image from %s: free space there or set TMPDIR to a folder that has it",
			folder, name);
	return dn_error_set(err, code, "cannot copy the image from %s to a temporary file in %s", name, folder);
}

static int open_unnamed(const char *folder)
{
	char path[4096];
	int fd = open(folder, O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
		return fd < 0 ? -errno : fd;
	if ((size_t)snprintf(path, sizeof(path), "%s/dunlin-spool-XXXXXX", folder) >= sizeof(path))
		return -ENAMETOOLONG;
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	unlink(path);
	return fd;
}

/* Like read(2), but waits where the descriptor does not. */
static ssize_t read_some(int fd, void *buf, size_t len)
{
	for (;;) {
		ssize_t n = read(fd, buf, len);
		if (n >= 0)
			return n;
		if (errno == EAGAIN) {
			struct pollfd p = { .fd = fd, .events = POLLIN };
			poll(&p, 1, -1);
		} else if (errno != EINTR) {
			return -errno;
		}
	}
}

/* Copies all of in to out; what does not begin like an image is refused at once. */
static int copy(int in, int out, const char *name, const char *folder, struct dn_error *err)
{
	_cleanup_free_ unsigned char *buf = malloc(COPY_SIZE);
	size_t have = 0;
	bool looked = false;

	if (!buf)
		return dn_error_set(err, -ENOMEM, "cannot read the image from %s", name);
	for (;;) {
		ssize_t n = read_some(in, buf + have, COPY_SIZE - have);
		if (n < 0)
			return dn_error_set(err, (int)n, "cannot read the image from %s", name);
		have += (size_t)n;
		if (!looked && (have >= 16 || n == 0)) {
			if (have < 16 || memcmp(buf, DN_FILE_MAGIC, 16) != 0)
				return dn_error_say(err, -EBADMSG, "what comes from %s is not a dunlin image", name);
			looked = true;
		}
		if (n > 0 && have < COPY_SIZE / 2)
			continue;
		int r = dn_write_quietly(out, buf, have, -1);
		if (r < 0)
			return say_spool_failed(name, folder, r, err);
		have = 0;
		if (n == 0)
			return 0;
	}
}

static int spool(int in, const char *name, int *ret_fd, struct dn_error *err)
{
	const char *folder = getenv("TMPDIR");

	if (!folder || !*folder)
		folder = "/var/tmp";
	_cleanup_fd_ int out = open_unnamed(folder);
	if (out < 0)
		return say_spool_failed(name, folder, out, err);
	fcntl(in, F_SETPIPE_SZ, COPY_SIZE); /* a wish; fails on what is no pipe */
	int r = copy(in, out, name, folder, err);
	if (r < 0)
		return r;
	*ret_fd = DN_STEAL_FD(out);
	return 0;
}

int dn_spool_open(const char *path, int *ret_fd, struct dn_error *err)
{
	bool standard = strcmp(path, "-") == 0;
	const char *name = standard ? "standard input" : path;
	struct stat st;

	_cleanup_fd_ int fd = standard ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return dn_error_set(err, -errno, "cannot open the image %s", name);
	if (S_ISDIR(st.st_mode))
		return dn_error_say(err, -EISDIR, "cannot open the image %s: it is a folder", name);
	if (isatty(fd))
		return dn_error_say(err, -EINVAL, "cannot read an image from a terminal (%s): name a file, or redirect",
				    name);
	if (!S_ISREG(st.st_mode) || (standard && lseek(fd, 0, SEEK_CUR) != 0))
		return spool(fd, name, ret_fd, err);
	*ret_fd = DN_STEAL_FD(fd);
	return 0;
}
