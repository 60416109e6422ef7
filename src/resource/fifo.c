/* SPDX-License-Identifier: BSD-3-Clause */
/* fifo.c - driver: FIFOs, pipes with a name
 *
 * They are opened again by their path.  What was in one is put back if it is empty: if some outside
 * process kept it open, it has its data still.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "base/util.h"
#include "resource/drivers.h"
#include "resource/fileopen.h"
#include "resource/filetable.h"
#include "resource/message.h"

static bool match(const struct dn_file_probe *probe)
{
	return S_ISFIFO(probe->st.st_mode) && !(probe->flags & O_PATH);
}

static int capture(struct dn_capture *c, const struct dn_file_probe *probe, Dn__File *file, struct dn_error *err)
{
	_cleanup_free_ char *path = NULL, *was = NULL;

	int r = dn_path_find(probe, &path, &was, err);
	if (r < 0)
		return r;
	Dn__PipeFile *m = file->pipe = dn_message_new(&dn__pipe_file__descriptor);
	if (!m || dn_message_string(&m->path, path ? path : was) < 0)
		return dn_error_set(err, -ENOMEM, "cannot list FIFOs");
	m->dev = probe->st.st_dev;
	m->ino = probe->st.st_ino;
	m->mode = probe->st.st_mode;
	m->deleted = !path;
	return dn_pipe_capture(c, probe, true, &m->pipe, err);
}

static int check(struct dn_restore *r, const Dn__File *file, struct dn_error *err)
{
	struct stat st;

	if (!file->pipe || !dn_open_pipe(r->files, file->pipe->pipe) || file->pipe->path[0] != '/')
		return dn_error_say(err, -EINVAL, "the image has no FIFO for file %u", file->id);
	if (file->pipe->deleted)
		return 0;
	if (stat(file->pipe->path, &st) < 0)
		return dn_error_set(err, -errno, "the FIFO %s, which the program uses, cannot be found",
				    file->pipe->path);
	if (!S_ISFIFO(st.st_mode))
		return dn_error_say(err, -ESTALE, "%s was a FIFO at the checkpoint and is none now", file->pipe->path);
	return 0;
}

/* A FIFO for a moment, in the place where the deleted one was. */
static int open_deleted(const Dn__PipeFile *m, const Dn__Pipe *pipe, struct dn_error *err)
{
	_cleanup_free_ char *spare = dn_path_spare(m->path);
	const char *name = m->path;

	if (!spare)
		return dn_error_set(err, -ENOMEM, "cannot make a FIFO");
	int made = mkfifo(name, 0600);
	if (made < 0 && errno == EEXIST)
		made = mkfifo(name = spare, 0600);
	if (made < 0)
		return dn_error_set(err, -errno, "cannot make a FIFO in place of %s, which was deleted", m->path);
	int fd = open(name, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	int r = fd < 0 ? dn_error_set(err, -errno, "cannot open FIFO %s", name) : fd;
	unlink(name);
	if (r < 0)
		return r;
	if (fchown(fd, pipe->uid, pipe->gid) < 0 || fchmod(fd, pipe->mode & 07777) < 0) {
		r = dn_error_set(err, -errno, "cannot give a FIFO to user %u, group %u", pipe->uid, pipe->gid);
		close(fd);
	}
	return r;
}

/* Holds both ends open, so that nobody waits for the other one and no data is lost meanwhile. */
static int hold(struct dn_restore *r, const Dn__File *file, struct dn_open_pipe **ret, struct dn_error *err)
{
	const Dn__PipeFile *m = file->pipe;
	struct dn_open_pipe *p = dn_open_pipe(r->files, m->pipe);
	struct stat st;
	int length = 0;

	*ret = p;
	if (p->fds[0] >= 0)
		return 0;
	int fd = m->deleted ? open_deleted(m, p->message, err) : open(m->path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return m->deleted ? fd : dn_error_set(err, -errno, "cannot open FIFO %s", m->path);
	p->fds[0] = fd = dn_place(r->files, NULL, fd, err);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0 || !S_ISFIFO(st.st_mode) || ioctl(fd, FIONREAD, &length) < 0)
		return dn_error_say(err, -ESTALE, "%s is no FIFO any more", m->path);
	if (length)
		return 0;
	int capacity = fcntl(fd, F_GETPIPE_SZ);
	if (p->message->capacity <= INT32_MAX && capacity != (int)p->message->capacity &&
	    fcntl(fd, F_SETPIPE_SZ, (int)p->message->capacity) < 0)
		return dn_error_set(err, -errno, "cannot give FIFO %s %u bytes", m->path, p->message->capacity);
	return dn_pipe_fill(p->message, fd, err);
}

static int restore(struct dn_restore *r, const Dn__File *file, int *ret_fd, struct dn_error *err)
{
	struct dn_open_pipe *p = NULL;

	int n = hold(r, file, &p, err);
	if (n < 0)
		return n;
	*ret_fd = dn_reopen(p->fds[0], ((int)file->flags & O_ACCMODE) | O_NONBLOCK);
	return *ret_fd < 0 ? dn_error_set(err, *ret_fd, "cannot open FIFO %s", file->pipe->path) : 0;
}

const struct dn_file_driver dn_driver_fifo = {
	.name = "fifo",
	.match = match,
	.capture = capture,
	.check = check,
	.restore = restore,
};
