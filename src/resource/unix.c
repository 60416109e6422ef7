/* SPDX-License-Identifier: BSD-3-Clause */
/* unix.c - driver: unix sockets
 *
 * Theory of operation: sock_diag tells who is connected with whom, who listens, and who waits to be accepted.  What is
 * in a socket's queue is looked at with MSG_PEEK, which walks along the queue while SO_PEEK_OFF is on, and gives
 * dunlin the descriptors that are on their way: they are captured like those of processes.  How all comes back:
 * unixopen.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/util.h"
#include "resource/drivers.h"
#include "resource/fileopen.h"
#include "resource/filetable.h"
#include "resource/message.h"
#include "resource/sockets.h"

#define PACKET_MAX (16u << 20)
#define RECEIVES_NO_MORE 1u
#define SENDS_NO_MORE 2u

/* ================= capture ================= */

static bool match(const struct dn_file_probe *probe)
{
	int domain = 0;
	socklen_t len = sizeof(domain);

	return S_ISSOCK(probe->st.st_mode) && !(probe->flags & O_PATH) &&
	       getsockopt(probe->fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_UNIX;
}

/* The name as sun_path has it; 0 bytes where there is none. */
static int take_name(ProtobufCBinaryData *field, const struct sockaddr_un *a, socklen_t len)
{
	if (len <= offsetof(struct sockaddr_un, sun_path))
		return 0;
	len -= (socklen_t)offsetof(struct sockaddr_un, sun_path);
	/* Only abstract names may have zeroes in them. */
	return dn_message_bytes(field, a->sun_path, a->sun_path[0] ? strnlen(a->sun_path, len) : len);
}

static void take_credentials(const struct cmsghdr *c, Dn__UnixPacket *m)
{
	struct ucred u;

	memcpy(&u, CMSG_DATA(c), sizeof(u));
	m->has_credentials = u.pid > 0; /* 0: sent before anybody asked for them */
	m->pid = (uint32_t)u.pid;
	m->uid = u.uid;
	m->gid = u.gid;
}

/* Looking at a message gives dunlin the descriptors that come with it. */
static int take_descriptors(struct dn_capture *c, const struct cmsghdr *control, Dn__UnixPacket *m,
			    struct dn_error *err)
{
	size_t count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	uint32_t *files = calloc(count, sizeof(*files));
	int r = files ? 0 : dn_error_set(err, -ENOMEM, "cannot list descriptors on their way"), fd;

	for (size_t i = 0; i < count; i++) {
		memcpy(&fd, CMSG_DATA(control) + i * sizeof(int), sizeof(int));
		if (r == 0)
			r = dn_description_take(c, fd, &files[i], err);
		else
			close(fd);
	}
	m->files = files;
	m->n_files = r == 0 ? count : 0;
	return r;
}

/* One more packet.  1; 0: that was all. */
static int peek(struct dn_capture *c, int fd, unsigned char *buffer, Dn__UnixFile *m, struct dn_error *err)
{
	union {
		char room[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(253 * sizeof(int))]; /* SCM_MAX_FD */
		struct cmsghdr align;
	} control;
	struct sockaddr_un sender = {};
	struct iovec iov = { buffer, PACKET_MAX };
	struct msghdr message = { .msg_name = &sender,
				  .msg_namelen = sizeof(sender),
				  .msg_iov = &iov,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	int r = 0;

	ssize_t n = recvmsg(fd, &message, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return errno == EAGAIN || errno == ECONNRESET ? 0 : dn_error_set(err, -errno, "cannot look at it");
	/* An empty message, unless it is the end. */
	if (n == 0 && (m->type == SOCK_STREAM || m->shutdown & RECEIVES_NO_MORE))
		return 0;
	Dn__UnixPacket *p = dn_message_add(&m->packets, &m->n_packets, &dn__unix_packet__descriptor);
	if (!p || dn_message_bytes(&p->data, buffer, (size_t)n) < 0 ||
	    (m->type == SOCK_DGRAM && take_name(&p->name, &sender, message.msg_namelen) < 0))
		return dn_error_set(err, -ENOMEM, "no memory for what is in it");
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&message); h; h = CMSG_NXTHDR(&message, h)) {
		if (h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_CREDENTIALS)
			take_credentials(h, p);
		else if (h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS && r == 0)
			r = take_descriptors(c, h, p, err);
	}
	if (r == 0 && message.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
		r = dn_error_say(err, -EMSGSIZE, "a message is longer than %u bytes", PACKET_MAX);
	return r < 0 ? r : 1;
}

static int capture_queue(struct dn_capture *c, const struct dn_description *d, struct dn_error *err)
{
	_cleanup_free_ unsigned char *buffer = NULL;
	Dn__UnixFile *m = d->file->unix_socket;
	int before = -1, begin = 0, waiting = 0, r = 1, number = d->number;
	pid_t pid = d->process->pid;
	socklen_t len = sizeof(before);

	_cleanup_fd_ int fd = dn_description_get(d, err);
	if (fd < 0)
		return fd;
	/* Nothing, nearly always. */
	if (m->type != SOCK_DGRAM && ioctl(fd, FIONREAD, &waiting) == 0 && !waiting)
		return 0;
	buffer = malloc(PACKET_MAX);
	if (!buffer)
		return dn_error_set(err, -ENOMEM, "no memory to look at a socket");
	if (getsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &before, &len) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &begin, sizeof(begin)) < 0)
		return dn_error_set(err, -errno, "cannot look at what is in a socket");
	while (r > 0)
		r = peek(c, fd, buffer, m, err);
	setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &before, sizeof(before));
	/* d has moved if the packets brought others. */
	return r < 0 ? dn_error_wrap(err, "descriptor %d of process %d, a unix socket", number, pid) : 0;
}

static int capture(struct dn_capture *c, const struct dn_file_probe *probe, Dn__File *file, struct dn_error *err)
{
	struct sockaddr_un own = {};
	struct ucred peer = {};
	int type = 0;
	socklen_t len = sizeof(type);

	getsockopt(probe->fd, SOL_SOCKET, SO_TYPE, &type, &len);
	Dn__UnixFile *m = file->unix_socket = dn_message_new(&dn__unix_file__descriptor);
	len = sizeof(own);
	if (!m || (getsockname(probe->fd, (struct sockaddr *)&own, &len) == 0 && take_name(&m->name, &own, len) < 0))
		return dn_error_set(err, -ENOMEM, "cannot list sockets");
	m->ino = probe->st.st_ino;
	m->type = (uint32_t)type;
	len = sizeof(peer);
	if (getsockopt(probe->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && peer.pid > 0) {
		m->pid = (uint32_t)peer.pid;
		m->uid = peer.uid;
		m->gid = peer.gid;
	}
	return dn_socket_options_capture(probe->fd, &m->options, err);
}

/* ---- who is connected with whom ---- */

static const struct dn_description *with_ino(const struct dn_file_table *t, uint64_t ino)
{
	for (size_t i = 0; i < t->count; i++)
		if (t->descriptions[i].file->unix_socket && t->descriptions[i].file->unix_socket->ino == ino)
			return &t->descriptions[i];
	return NULL;
}

static const struct dn_description *listener_named(const struct dn_file_table *t, const Dn__UnixFile *like)
{
	for (size_t i = 0; i < t->count; i++) {
		const Dn__UnixFile *m = t->descriptions[i].file->unix_socket;
		if (m && m->listening && m->type == like->type && m->name.len == like->name.len &&
		    !memcmp(m->name.data, like->name.data, m->name.len))
			return &t->descriptions[i];
	}
	return NULL;
}

static int make_outside(struct dn_description *d, struct dn_error *err)
{
	Dn__File *f = d->file;
	char name[64];

	snprintf(name, sizeof(name), "socket:[%llu]", (unsigned long long)f->unix_socket->ino);
	f->outside = dn_message_new(&dn__outside_file__descriptor);
	if (!f->outside || dn_message_string(&f->outside->name, name) < 0 ||
	    dn_message_string(&f->driver, dn_driver_outside.name) < 0)
		return dn_error_set(err, -ENOMEM, "cannot list sockets");
	dn__unix_file__free_unpacked(f->unix_socket, NULL);
	f->unix_socket = NULL;
	d->driver = &dn_driver_outside;
	return 0;
}

static int refuse(const struct dn_description *d, const char *what, struct dn_error *err)
{
	return dn_error_refuse(err, "process %d has descriptor %d open on a unix socket %s", d->process->pid, d->number,
			       what);
}

/* Connected, but the other end has no descriptor yet. */
static int wait_at(struct dn_capture *c, struct dn_description *d, uint32_t listener, int fd, struct dn_error *err)
{
	const struct dn_description *other = with_ino(c->files, listener);
	int sent = 0;

	if (!other)
		return refuse(d, "that waits to be accepted by a program outside the tree", err);
	if (ioctl(fd, TIOCOUTQ, &sent) < 0 || sent)
		return refuse(d, "that has sent something, but was not accepted yet, which cannot be captured", err),
		       dn_error_passing(err);
	d->file->unix_socket->waits_at = other->file->id;
	return 0;
}

/* Sets m->peer. */
static int find_peer(struct dn_capture *c, struct dn_description *d, const struct dn_unix_info *info,
		     const struct dn_unix_info *peer, int fd, struct dn_error *err)
{
	Dn__UnixFile *m = d->file->unix_socket;
	char what[96];

	if (info->listener)
		return wait_at(c, d, info->listener, fd, err);
	if (!info->peer)
		return 0;
	const struct dn_description *other = with_ino(c->files, info->peer);
	if (!other && d->standard)
		return make_outside(d, err);
	if (!other) {
		snprintf(what, sizeof(what), "whose other end is not in the tree (process %u made the connection)",
			 m->pid);
		return refuse(d, what, err);
	}
	/* Only by its name can it be connected again, or as a pair. */
	const Dn__UnixFile *far = other->file->unix_socket;
	if (m->type == SOCK_DGRAM && !far->name.len && (m->name.len || !peer || peer->peer != info->ino))
		return refuse(d, "that is connected with one that has no name, which cannot be captured yet", err);
	m->peer = other->file->id;
	return 0;
}

/* Where is the file that it is bound to?  It may have another name by now, or none. */
static int find_file(struct dn_description *d, const struct dn_unix_info *info, struct dn_error *err)
{
	Dn__UnixFile *m = d->file->unix_socket;
	char path[PATH_MAX], real[PATH_MAX];
	struct stat st;

	if (!m->name.len || !m->name.data[0] || m->accepted)
		return 0;
	snprintf(path, sizeof(path), "%.*s", (int)m->name.len, (const char *)m->name.data);
	if (path[0] != '/')
		snprintf(path, sizeof(path), "/proc/%d/cwd/%.*s", d->process->pid, (int)m->name.len,
			 (const char *)m->name.data);
	_cleanup_free_ char *other = NULL;
	const char *at = path;
	if (stat(path, &st) < 0 || !S_ISSOCK(st.st_mode) || st.st_ino != info->file) {
		struct stat folder;
		char *slash = strrchr(strcpy(real, path), '/');
		*slash = '\0';
		if (stat(real[0] ? real : "/", &folder) == 0)
			other = dn_path_other_name(path, folder.st_dev, info->file);
		if (!other || stat(other, &st) < 0)
			return m->name.data[0] == '/' ? 0 : refuse(d, "with a relative name that cannot be found", err);
		at = other;
	}
	if (!realpath(at, real) || dn_message_string(&m->path, real) < 0)
		return dn_error_set(err, -errno, "cannot find %s", at);
	m->file_ino = st.st_ino;
	m->file_mode = st.st_mode & 07777;
	m->file_uid = st.st_uid;
	m->file_gid = st.st_gid;
	return 0;
}

/* A connection that was accepted has the name of the listener. */
static int find_listener(struct dn_capture *c, struct dn_description *d, const struct dn_unix_info *info,
			 struct dn_error *err)
{
	Dn__UnixFile *m = d->file->unix_socket;

	if (!m->name.len || m->type == SOCK_DGRAM || !info->has_peer || m->waits_at)
		return 0;
	const struct dn_description *listener = listener_named(c->files, m);
	const struct dn_description *peer = info->peer ? with_ino(c->files, info->peer) : NULL;
	m->accepted = listener || !peer || !peer->file->unix_socket->name.len;
	m->listener = listener ? listener->file->id : 0;
	if (!m->accepted && !listener_named(c->files, peer->file->unix_socket))
		return refuse(d, "both ends of which have names, without a listener", err);
	return 0;
}

static int capture_connection(struct dn_capture *c, struct dn_description *d, const struct dn_unix_info *info,
			      const struct dn_unix_info *peer, struct dn_error *err)
{
	_cleanup_fd_ int fd = dn_description_get(d, err);
	if (fd < 0)
		return fd;
	int r = find_peer(c, d, info, peer, fd, err);
	if (r < 0 || d->driver != &dn_driver_unix)
		return r;
	r = find_listener(c, d, info, err);
	return r < 0 ? r : find_file(d, info, err);
}

static int capture_one(struct dn_capture *c, struct dn_description *d, const struct dn_unix_info *list, size_t count,
		       struct dn_error *err)
{
	const struct dn_unix_info *info = dn_unix_find(list, count, d->ino);

	return capture_connection(c, d, info, dn_unix_find(list, count, info->peer), err);
}

/* What must be known of all before anything is said of one. */
static int capture_state(struct dn_capture *c, struct dn_description *d, const struct dn_unix_info *info,
			 struct dn_error *err)
{
	Dn__UnixFile *m = d->file->unix_socket;

	if (!info)
		return refuse(d, "of another network namespace", err);
	m->connected = info->has_peer;
	m->shutdown = info->shutdown & (RECEIVES_NO_MORE | SENDS_NO_MORE);
	m->listening = info->state == TCP_LISTEN;
	m->backlog = m->listening ? info->backlog : 0;
	/* Of what leads outside nothing is taken along. */
	if (m->listening || (info->peer && d->standard && !with_ino(c->files, info->peer)))
		return 0;
	return capture_queue(c, d, err);
}

static int capture_end(struct dn_capture *c, struct dn_error *err)
{
	struct dn_file_table *t = c->files;
	_cleanup_free_ struct dn_unix_info *list = NULL;
	size_t count = 0, i = 0;
	int r = 0;

	while (i < t->count && t->descriptions[i].driver != &dn_driver_unix)
		i++;
	if (i < t->count)
		r = dn_unix_list(&list, &count, err);
	/* The table grows by what is on its way. */
	for (size_t k = i; k < t->count && r == 0; k++) {
		struct dn_description *d = &t->descriptions[k];
		if (d->driver == &dn_driver_unix)
			r = capture_state(c, d, dn_unix_find(list, count, d->ino), err);
	}
	for (size_t k = i; k < t->count && r == 0; k++) {
		struct dn_description *d = &t->descriptions[k];
		if (d->driver == &dn_driver_unix)
			r = capture_one(c, d, list, count, err);
	}
	return r;
}

/* ================= restore ================= */

static bool late(const Dn__File *file)
{
	return true;
}

static int restore(struct dn_restore *r, const Dn__File *file, int *ret_fd, struct dn_error *err)
{
	int n = dn_unix_make_all(r, err);

	if (n == 0)
		*ret_fd = DN_STEAL_FD(dn_open_file(r->files, file->id)->made);
	return n;
}

const struct dn_file_driver dn_driver_unix = {
	.name = "unix",
	.match = match,
	.capture = capture,
	.capture_end = capture_end,
	.check = dn_unix_check,
	.restore = restore,
	.late = late,
};
