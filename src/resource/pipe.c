/* SPDX-License-Identifier: BSD-3-Clause */
/* pipe.c - driver: pipes, and what FIFOs have in common with them
 *
 * Theory of operation: capture notes every description of an end.  When all are known, a pipe is inside
 * if both ends are in the tree or if nobody at all has the other end; else it leads outside, and
 * its descriptions (of a FIFO: those that are standard streams) become those of the `outside` driver.  The data is
 * copied with tee(2), which takes nothing out of the pipe.  At restart a new pipe is filled; descriptions beyond the
 * two that a pipe is made with are opened through /proc/self/fd.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "base/util.h"
#include "resource/drivers.h"
#include "resource/fileopen.h"
#include "resource/filetable.h"
#include "resource/message.h"

/* ================= capture ================= */

int dn_pipe_capture(struct dn_capture *c, const struct dn_file_probe *probe, bool fifo, uint32_t *ret_id,
		    struct dn_error *err)
{
	struct dn_file_table *t = c->files;
	uint32_t *id = dn_idmap_at(&t->map, DN_KEY_PIPE, probe->st.st_dev, probe->st.st_ino);
	int access = probe->flags & O_ACCMODE;

	if (!id || dn_grow(&t->pipes, &t->pipe_cap, t->pipe_count, sizeof(*t->pipes)) < 0)
		return dn_error_set(err, -ENOMEM, "cannot list pipes");
	if (!*id) {
		*id = (uint32_t)++t->pipe_count;
		t->pipes[*id - 1] =
			(struct dn_pipe_seen){ .dev = probe->st.st_dev, .ino = probe->st.st_ino, .fifo = fifo };
	}
	struct dn_pipe_seen *p = &t->pipes[*id - 1];
	uint32_t index = (uint32_t)t->count; /* this description's */
	if (access != O_WRONLY && !p->readers++)
		p->reader = index;
	if (access != O_RDONLY && !p->writers++)
		p->writer = index;
	if (access != O_RDONLY && probe->flags & O_DIRECT)
		p->packets = true;
	*ret_id = *id;
	return 0;
}

/* Does anybody have the end that nobody in the tree has? */
static int has_other_end(struct dn_file_table *t, const struct dn_pipe_seen *p, bool *ret, struct dn_error *err)
{
	const struct dn_description *d = &t->descriptions[p->readers ? p->reader : p->writer];
	_cleanup_fd_ int fd = dn_description_get(d, err);
	struct pollfd poll_fd = { .fd = fd };

	if (fd < 0)
		return fd;
	if (poll(&poll_fd, 1, 0) < 0)
		return dn_error_set(err, -errno, "cannot poll descriptor %d of process %d", d->number, d->process->pid);
	*ret = !(poll_fd.revents & (p->readers ? POLLHUP : POLLERR));
	return 0;
}

static int make_outside(struct dn_description *d, struct dn_error *err)
{
	Dn__File *f = d->file;
	char name[64];

	snprintf(name, sizeof(name), "pipe:[%llu]", (unsigned long long)d->ino);
	f->outside = dn_message_new(&dn__outside_file__descriptor);
	if (!f->outside || dn_message_string(&f->outside->name, f->pipe->path[0] ? f->pipe->path : name) < 0 ||
	    dn_message_string(&f->driver, dn_driver_outside.name) < 0)
		return dn_error_set(err, -ENOMEM, "cannot list pipes");
	dn__pipe_file__free_unpacked(f->pipe, NULL);
	f->pipe = NULL;
	d->driver = &dn_driver_outside;
	return 0;
}

int dn_pipes_sort_out(struct dn_capture *c, struct dn_error *err)
{
	struct dn_file_table *t = c->files;
	int r = 0;

	for (size_t i = 0; i < t->pipe_count && r == 0; i++) {
		struct dn_pipe_seen *p = &t->pipes[i];
		if (!p->readers || !p->writers)
			r = has_other_end(t, p, &p->outside, err);
	}
	for (size_t i = 0; i < t->count && r == 0; i++) {
		struct dn_description *d = &t->descriptions[i];
		const Dn__PipeFile *m = d->file->pipe;
		/* A FIFO can be found again by its path, but whoever was at the other end of a standard
		 * stream has gone by then. */
		if (m && t->pipes[m->pipe - 1].outside && (d->driver == &dn_driver_pipe || d->standard))
			r = make_outside(d, err);
	}
	return r;
}

/* A private copy of what is queued, packets with their borders. */
static int copy_queue(int fd, size_t length, size_t capacity, int copy[static 2], struct dn_error *err)
{
	if (pipe2(copy, O_CLOEXEC | O_NONBLOCK) < 0)
		return dn_error_set(err, -errno, "cannot make a pipe");
	/* As many slots as there, since tee() copies slot by slot and always from the first one. */
	if ((size_t)fcntl(copy[1], F_GETPIPE_SZ) < capacity && fcntl(copy[1], F_SETPIPE_SZ, (int)capacity) < 0)
		return dn_error_set(err, -errno, "cannot make a pipe of %zu bytes", capacity);
	ssize_t n = tee(fd, copy[1], capacity, SPLICE_F_NONBLOCK);
	if (n < 0)
		return dn_error_set(err, -errno, "cannot copy the data in a pipe");
	if ((size_t)n != length)
		return dn_error_say(err, -EIO, "copied %zd of %zu bytes in a pipe", n, length);
	return 0;
}

/* Piece by piece: a read ends with a packet, or where there is no more. */
static int read_pieces(int fd, size_t length, unsigned char *buffer, size_t capacity, Dn__Pipe *m, struct dn_error *err)
{
	for (size_t done = 0; done < length;) {
		ssize_t n = read(fd, buffer, capacity);
		if (n <= 0)
			return dn_error_set(err, n < 0 ? -errno : -EIO, "cannot read the copy of a pipe");
		done += (size_t)n;
		if (dn_message_add_bytes(&m->packets, &m->n_packets, buffer, (size_t)n) < 0)
			return dn_error_set(err, -ENOMEM, "no memory for %zu bytes in a pipe", length);
	}
	return 0;
}

/* Reads n bytes, at most what one piece has; how much less is queued then: of a packet, what was not read is gone. */
static int bytes_gone(int fd, unsigned char *buffer, size_t n, struct dn_error *err)
{
	int before = 0, after = 0;

	if (ioctl(fd, FIONREAD, &before) < 0 || (n && read(fd, buffer, n) != (ssize_t)n) ||
	    ioctl(fd, FIONREAD, &after) < 0)
		return dn_error_set(err, -EIO, "cannot read the copy of a pipe");
	return before - after;
}

/* The next piece of another copy is read by parts.  1: it is a packet, 0: bytes, as the last piece may be. */
static int is_packet(int fd, unsigned char *buffer, size_t length, bool last, bool packets_now, struct dn_error *err)
{
	int begin = bytes_gone(fd, buffer, 1, err);

	if (begin < 0 || (length > 1 && begin == (int)length))
		return begin < 0 ? begin : 1;
	if (length == 1) /* looks the same either way */
		return !last || packets_now;
	int middle = bytes_gone(fd, buffer, length - 2, err);
	int end = middle == (int)length - 2 ? bytes_gone(fd, buffer, 1, err) : 0;
	if (middle < 0 || end < 0)
		return -EIO;
	if (begin + middle + end != (int)length || end != 1 || !last)
		return dn_error_refuse(err, "bytes and packets are mixed in a pipe, which cannot be captured");
	return 0;
}

static int sort_pieces(int fd, unsigned char *buffer, Dn__Pipe *m, bool packets_now, struct dn_error *err)
{
	for (size_t i = 0; i < m->n_packets; i++) {
		bool last = i + 1 == m->n_packets;
		int r = is_packet(fd, buffer, m->packets[i].len, last, packets_now, err);
		if (r < 0)
			return r;
		m->packet_mode = m->packet_mode || r;
		m->tail_bytes = last && i && !r;
	}
	return 0;
}

static int read_queue(int fd, size_t length, size_t capacity, bool packets_now, Dn__Pipe *m, struct dn_error *err)
{
	_cleanup_free_ unsigned char *buffer = malloc(capacity);
	int r = buffer ? 0 : dn_error_set(err, -ENOMEM, "no memory for %zu bytes in a pipe", length);

	for (int round = 0; round < 2 && r == 0; round++) {
		int copy[2] = { -1, -1 };
		r = copy_queue(fd, length, capacity, copy, err);
		if (r == 0)
			r = round ? sort_pieces(copy[0], buffer, m, packets_now, err)
				  : read_pieces(copy[0], length, buffer, capacity, m, err);
		for (int i = 0; i < 2; i++)
			if (copy[i] >= 0)
				close(copy[i]);
	}
	return r;
}

static int capture_pipe(struct dn_file_table *t, const struct dn_pipe_seen *p, Dn__Pipe *m, struct dn_error *err)
{
	const struct dn_description *d = &t->descriptions[p->readers ? p->reader : p->writer];
	_cleanup_fd_ int fd = dn_description_get(d, err);
	struct stat st;
	int length = 0;

	if (fd < 0)
		return fd;
	int capacity = fcntl(fd, F_GETPIPE_SZ);
	if (capacity <= 0 || fstat(fd, &st) < 0)
		return dn_error_set(err, -errno, "cannot ask for the size of a pipe");
	m->ino = p->ino;
	m->capacity = (uint32_t)capacity;
	m->mode = st.st_mode & 07777;
	m->uid = st.st_uid;
	m->gid = st.st_gid;
	if (ioctl(fd, FIONREAD, &length) < 0 || length < 0)
		return dn_error_set(err, -errno, "cannot ask how much is in a pipe");
	m->packet_mode = !length && p->packets;
	if (!length)
		return 0;
	/* What nobody reads can be read by whoever opens it (a FIFO, or through /proc). */
	_cleanup_fd_ int reader = p->readers ? -1 : dn_reopen(fd, O_RDONLY | O_NONBLOCK);
	if (!p->readers && reader < 0)
		return dn_error_set(err, reader, "cannot read what is in a pipe");
	int r = read_queue(p->readers ? fd : reader, (size_t)length, (size_t)capacity, p->packets, m, err);
	if (r < 0)
		return dn_error_wrap(err, "descriptor %d of process %d", d->number, d->process->pid);
	return length;
}

#define RECORD_BYTES (1 << 20) /* of data, before a new record is begun */

static int flush_pipes(struct dn_capture *c, Dn__Pipes *pipes, struct dn_error *err)
{
	int r = pipes->n_pipes ? dn_image_write_message(c->writer, DN_RECORD_PIPES, &pipes->base, err) : 0;

	for (size_t i = 0; i < pipes->n_pipes; i++)
		dn__pipe__free_unpacked(pipes->pipes[i], NULL);
	free(pipes->pipes);
	*pipes = (Dn__Pipes)DN__PIPES__INIT;
	return r;
}

int dn_pipes_write(struct dn_capture *c, struct dn_error *err)
{
	struct dn_file_table *t = c->files;
	Dn__Pipes pipes = DN__PIPES__INIT;
	size_t bytes = 0;
	int r = 0;

	for (size_t i = 0; i < t->pipe_count && r >= 0; i++) {
		if (t->pipes[i].outside && !t->pipes[i].fifo)
			continue;
		Dn__Pipe *m = dn_message_add(&pipes.pipes, &pipes.n_pipes, &dn__pipe__descriptor);
		if (!m) {
			r = dn_error_set(err, -ENOMEM, "cannot list pipes");
			break;
		}
		m->id = (uint32_t)i + 1;
		r = capture_pipe(t, &t->pipes[i], m, err);
		bytes += r > 0 ? (size_t)r : 0;
		if (r >= 0 && (bytes > RECORD_BYTES || pipes.n_pipes >= 4096)) {
			r = flush_pipes(c, &pipes, err);
			bytes = 0;
		}
	}
	int n = flush_pipes(c, &pipes, r < 0 ? NULL : err);
	return r < 0 ? r : n;
}

/* ================= restore ================= */

int dn_pipe_fill(const Dn__Pipe *m, int fd, struct dn_error *err)
{
	int flags = fcntl(fd, F_GETFL), r = 0;

	for (size_t i = 0; i < m->n_packets && r == 0; i++) {
		const ProtobufCBinaryData *packet = &m->packets[i];
		/* What is longer than a packet can be was written in another mode. */
		bool border = m->packet_mode && packet->len <= PIPE_BUF && !(m->tail_bytes && i + 1 == m->n_packets);
		if (fcntl(fd, F_SETFL, O_NONBLOCK | (border ? O_DIRECT : 0)) < 0)
			r = dn_error_set(err, -errno, "cannot change the mode of pipe %u", m->id);
		ssize_t n = r == 0 ? write(fd, packet->data, packet->len) : 0;
		if (r == 0 && (n < 0 || (size_t)n != packet->len))
			r = dn_error_set(err, n < 0 ? -errno : -ENOSPC, "cannot put %zu bytes into pipe %u",
					 packet->len, m->id);
	}
	fcntl(fd, F_SETFL, flags);
	return r;
}

int dn_pipe_open(struct dn_restore *r, uint32_t id, struct dn_open_pipe **ret, struct dn_error *err)
{
	struct dn_open_pipe *p = dn_open_pipe(r->files, id);
	struct stat st;
	int fds[2];

	if (!p)
		return dn_error_say(err, -EINVAL, "the image has no pipe %u", id);
	*ret = p;
	if (p->fds[0] >= 0)
		return 0;
	const Dn__Pipe *m = p->message;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return dn_error_set(err, -errno, "cannot make a pipe");
	for (int i = 0; i < 2; i++) {
		p->fds[i] = dn_place(r->files, NULL, fds[i], err);
		if (p->fds[i] < 0) {
			if (i == 0)
				close(fds[1]);
			return p->fds[i];
		}
	}
	if (m->capacity && m->capacity <= INT_MAX && (uint32_t)fcntl(p->fds[1], F_GETPIPE_SZ) != m->capacity &&
	    fcntl(p->fds[1], F_SETPIPE_SZ, (int)m->capacity) < 0)
		return dn_error_set(err, -errno, "cannot make a pipe of %u bytes", m->capacity);
	int n = dn_pipe_fill(m, p->fds[1], err);
	if (n < 0)
		return n;
	if (fstat(p->fds[0], &st) < 0)
		return dn_error_set(err, -errno, "cannot look at a pipe");
	if ((st.st_uid != m->uid || st.st_gid != m->gid) && fchown(p->fds[0], m->uid, m->gid) < 0)
		return dn_error_set(err, -errno, "cannot give a pipe to user %u, group %u", m->uid, m->gid);
	if ((st.st_mode & 07777) != m->mode && fchmod(p->fds[0], m->mode & 07777) < 0)
		return dn_error_set(err, -errno, "cannot set the mode of a pipe");
	return 0;
}

/* ================= the driver ================= */

#define KERNEL_LARGEFILE 0100000 /* O_LARGEFILE is 0 to programs of 64 bits */

static bool match(const struct dn_file_probe *probe)
{
	return S_ISFIFO(probe->st.st_mode) && !(probe->flags & O_PATH) && !strncmp(probe->link, "pipe:[", 6);
}

static int capture(struct dn_capture *c, const struct dn_file_probe *probe, Dn__File *file, struct dn_error *err)
{
	file->pipe = dn_message_new(&dn__pipe_file__descriptor);
	if (!file->pipe)
		return dn_error_set(err, -ENOMEM, "cannot list pipes");
	return dn_pipe_capture(c, probe, false, &file->pipe->pipe, err);
}

static int check(struct dn_restore *r, const Dn__File *file, struct dn_error *err)
{
	if (!file->pipe || !dn_open_pipe(r->files, file->pipe->pipe))
		return dn_error_say(err, -EINVAL, "the image has no pipe for file %u", file->id);
	return 0;
}

static int restore(struct dn_restore *r, const Dn__File *file, int *ret_fd, struct dn_error *err)
{
	struct dn_open_pipe *p = NULL;
	int access = (int)file->flags & O_ACCMODE;
	bool end = access == O_WRONLY;

	int n = dn_pipe_open(r, file->pipe->pipe, &p, err);
	if (n < 0)
		return n;
	/* What came from open(2) can be told by O_LARGEFILE, which that sets and pipe(2) does not. */
	bool own = !(file->flags & KERNEL_LARGEFILE) && access != O_RDWR && !p->given[end];
	*ret_fd = own ? fcntl(p->fds[end], F_DUPFD_CLOEXEC, 3) : dn_reopen(p->fds[end], access);
	if (*ret_fd < 0)
		return dn_error_set(err, own ? -errno : *ret_fd, "cannot open a pipe again");
	p->given[end] = p->given[end] || own;
	return 0;
}

const struct dn_file_driver dn_driver_pipe = {
	.name = "pipe",
	.match = match,
	.capture = capture,
	.capture_end = dn_pipes_sort_out,
	.check = check,
	.restore = restore,
};
