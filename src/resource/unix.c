/* SPDX-License-Identifier: BSD-3-Clause */
/* unix.c - driver: connected pairs of unix sockets without names
 *
 * Theory of operation: sock_diag tells who is connected with whom.  What waits in a socket's queue is looked at with
 * MSG_PEEK, which walks along the queue while SO_PEEK_OFF is on; descriptors on their way are refused.  At
 * restart a pair is made by the process that made it, as the kernel notes its ids for SO_PEERCRED, and what one socket
 * has not received yet is sent by the other.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
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

static bool is_named(int fd)
{
	struct sockaddr_un own;
	socklen_t len = sizeof(own);

	return getsockname(fd, (struct sockaddr *)&own, &len) == 0 && len > sizeof(own.sun_family);
}

/* What came with a message.  false: descriptors. */
static bool take_control(struct msghdr *message, Dn__UnixPacket *m)
{
	bool good = true;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SCM_CREDENTIALS) {
			struct ucred u;
			memcpy(&u, CMSG_DATA(c), sizeof(u));
			m->has_credentials = u.pid > 0; /* 0: sent before anybody asked for them */
			m->pid = (uint32_t)u.pid;
			m->uid = u.uid;
			m->gid = u.gid;
			continue;
		}
		if (c->cmsg_type != SCM_RIGHTS)
			continue;
		good = false;
		for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			close(fd);
		}
	}
	return good;
}

/* One more packet.  1; 0: that was all; -EXFULL: descriptors are on their way. */
static int peek(int fd, unsigned char *buffer, Dn__UnixFile *m)
{
	union {
		char room[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(253 * sizeof(int))]; /* SCM_MAX_FD */
		struct cmsghdr align;
	} control;
	struct iovec iov = { buffer, PACKET_MAX };
	struct msghdr message = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	Dn__UnixPacket packet = DN__UNIX_PACKET__INIT;

	ssize_t n = recvmsg(fd, &message, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return errno == EAGAIN || errno == ECONNRESET ? 0 : -errno;
	bool good = take_control(&message, &packet);
	if (message.msg_flags & MSG_TRUNC)
		return -EMSGSIZE;
	if (!good)
		return -EXFULL;
	/* An empty message, unless it is the end. */
	if (n == 0 && (m->type == SOCK_STREAM || m->shutdown & RECEIVES_NO_MORE))
		return 0;
	Dn__UnixPacket *p = dn_message_add(&m->packets, &m->n_packets, &dn__unix_packet__descriptor);
	if (!p)
		return -ENOMEM;
	p->has_credentials = packet.has_credentials;
	p->pid = packet.pid;
	p->uid = packet.uid;
	p->gid = packet.gid;
	return dn_message_bytes(&p->data, buffer, (size_t)n) < 0 ? -ENOMEM : 1;
}

static int capture_queue(const struct dn_description *d, int fd, struct dn_error *err)
{
	_cleanup_free_ unsigned char *buffer = NULL;
	Dn__UnixFile *m = d->file->unix_socket;
	int before = -1, begin = 0, waiting = 0, r = 1;
	socklen_t len = sizeof(before);

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
		r = peek(fd, buffer, m);
	setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &before, sizeof(before));
	if (r == -EXFULL)
		return dn_error_refuse(err,
				       "process %d has descriptor %d open on a unix socket with descriptors on their "
				       "way in it, which cannot be captured yet",
				       d->process->pid, d->number);
	return r < 0 ? dn_error_set(err, r, "cannot read what is in descriptor %d of process %d", d->number,
				    d->process->pid)
		     : 0;
}

static int capture(struct dn_capture *c, const struct dn_file_probe *probe, Dn__File *file, struct dn_error *err)
{
	struct ucred peer = {};
	int type = 0, listens = 0;
	socklen_t len = sizeof(type);
	char whose[96];

	getsockopt(probe->fd, SOL_SOCKET, SO_TYPE, &type, &len);
	getsockopt(probe->fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len);
	if (listens || is_named(probe->fd))
		return dn_error_refuse(err, "%s %s, a unix socket with a name, which cannot be captured yet",
				       dn_probe_whose(probe, whose), probe->link);
	Dn__UnixFile *m = file->unix_socket = dn_message_new(&dn__unix_file__descriptor);
	if (!m)
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

/* Sets m->peer. */
static int find_peer(struct dn_capture *c, struct dn_description *d, const struct dn_unix_info *info,
		     const struct dn_unix_info *peer, struct dn_error *err)
{
	Dn__UnixFile *m = d->file->unix_socket;

	if (info->listener)
		return dn_error_refuse(err,
				       "process %d has descriptor %d open on a unix socket whose connection was not "
				       "accepted yet, which cannot be captured yet",
				       d->process->pid, d->number);
	if (!info->peer)
		return 0;
	const struct dn_description *other = with_ino(c->files, info->peer);
	if (!other && d->standard)
		return make_outside(d, err);
	if (!other)
		return dn_error_refuse(err,
				       "process %d has descriptor %d open on a unix socket whose other end is not in "
				       "the tree (process %u made the connection)",
				       d->process->pid, d->number, m->pid);
	if (!peer || peer->peer != info->ino)
		return dn_error_refuse(err,
				       "process %d has descriptor %d open on a unix socket that sends to one which is "
				       "connected with another, which cannot be captured yet",
				       d->process->pid, d->number);
	m->peer = other->file->id;
	return 0;
}

static int capture_connection(struct dn_capture *c, struct dn_description *d, const struct dn_unix_info *list,
			      size_t count, struct dn_error *err)
{
	Dn__UnixFile *m = d->file->unix_socket;
	const struct dn_unix_info *info = dn_unix_find(list, count, (ino_t)m->ino);

	if (!info)
		return dn_error_refuse(err,
				       "process %d has descriptor %d open on a unix socket of another network "
				       "namespace",
				       d->process->pid, d->number);
	m->connected = info->has_peer;
	m->shutdown = info->shutdown & (RECEIVES_NO_MORE | SENDS_NO_MORE);
	int r = find_peer(c, d, info, dn_unix_find(list, count, info->peer), err);
	if (r < 0 || d->driver != &dn_driver_unix)
		return r;
	_cleanup_fd_ int fd = dn_description_get(d, err);
	return fd < 0 ? fd : capture_queue(d, fd, err);
}

static int capture_end(struct dn_capture *c, struct dn_error *err)
{
	_cleanup_free_ struct dn_unix_info *list = NULL;
	size_t count = 0;
	bool asked = false;
	int r = 0;

	for (size_t i = 0; i < c->files->count && r == 0; i++) {
		if (c->files->descriptions[i].driver != &dn_driver_unix)
			continue;
		if (!asked)
			r = dn_unix_list(&list, &count, err);
		asked = true;
		if (r == 0)
			r = capture_connection(c, &c->files->descriptions[i], list, count, err);
	}
	return r;
}

/* ================= restore ================= */

static int check(struct dn_restore *r, const Dn__File *file, struct dn_error *err)
{
	const Dn__UnixFile *m = file->unix_socket;

	if (!m || (m->type != SOCK_STREAM && m->type != SOCK_DGRAM && m->type != SOCK_SEQPACKET))
		return dn_error_say(err, -EINVAL, "file %u of the image is no unix socket", file->id);
	const struct dn_open_file *peer = m->peer ? dn_open_file(r->files, m->peer) : NULL;
	if (m->peer && (!peer || !peer->message->unix_socket || peer->message->unix_socket->peer != file->id ||
			peer->message->unix_socket->type != m->type || m->peer == file->id))
		return dn_error_say(err, -EINVAL, "file %u of the image has a peer that is not its own", file->id);
	return dn_socket_options_check(m->options, err);
}

static bool late(const Dn__File *file)
{
	return true;
}

/* The seed of the process that made the pair, or any. */
static struct dn_process *maker_of(struct dn_restore *r, const Dn__UnixFile *m)
{
	for (size_t i = 0; i < r->seed_count; i++)
		if (r->seeds[i] && (uint32_t)r->seeds[i]->pid == m->pid)
			return r->seeds[i];
	return r->seeds[0];
}

/* A pair, made by a process of the tree with the user and group that it had. */
static int make_pair(struct dn_restore *r, const Dn__UnixFile *m, int ret[2], struct dn_error *err)
{
	struct dn_process *maker = maker_of(r, m);
	bool user = m->pid && (m->uid != geteuid() || m->gid != getegid());
	struct dn_batch b;
	int *numbers;
	void *local;

	dn_batch_begin(&b, maker->threads[0]->remote);
	uint64_t at = dn_batch_alloc(&b, 2 * sizeof(int), &local);
	numbers = local;
	if (user) {
		dn_batch_try(&b, "set a group", SYS_setresgid, (uint64_t)-1, m->gid, (uint64_t)-1);
		dn_batch_try(&b, "set a user", SYS_setresuid, (uint64_t)-1, m->uid, (uint64_t)-1);
	}
	dn_batch_call(&b, "make a pair of sockets", SYS_socketpair, AF_UNIX, m->type | SOCK_CLOEXEC, 0, at);
	if (user) {
		dn_batch_call(&b, "set the user back", SYS_setresuid, (uint64_t)-1, geteuid(), (uint64_t)-1);
		dn_batch_call(&b, "set the group back", SYS_setresgid, (uint64_t)-1, getegid(), (uint64_t)-1);
	}
	int n = dn_batch_run(&b, err);
	if (n < 0)
		return dn_error_wrap(err, "process %d", maker->pid);
	const int got[2] = { numbers[0], numbers[1] };
	for (int i = 0; i < 2; i++) {
		ret[i] = (int)syscall(SYS_pidfd_getfd, maker->pidfd, got[i], 0);
		if (ret[i] < 0)
			n = dn_error_set(err, -errno, "cannot get at a socket of process %d", maker->pid);
	}
	dn_batch_begin(&b, maker->threads[0]->remote);
	for (int i = 0; i < 2; i++)
		dn_batch_call(&b, "close a socket", SYS_close, (uint64_t)got[i]);
	int k = dn_batch_run(&b, n < 0 ? NULL : err);
	return n < 0 ? n : k;
}

static int send_packet(int fd, const Dn__UnixPacket *p)
{
	union {
		char room[CMSG_SPACE(sizeof(struct ucred))];
		struct cmsghdr align;
	} control = { .align = { .cmsg_len = CMSG_LEN(sizeof(struct ucred)),
				 .cmsg_level = SOL_SOCKET,
				 .cmsg_type = SCM_CREDENTIALS } };
	struct ucred u = { .pid = (pid_t)p->pid, .uid = p->uid, .gid = p->gid };
	struct iovec iov = { p->data.data, p->data.len };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };

	memcpy(CMSG_DATA(&control.align), &u, sizeof(u));
	if (p->has_credentials) {
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
	}
	ssize_t n = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	/* The sender is gone, or not ours to speak for: then the data alone. */
	if (n < 0 && p->has_credentials && (errno == EPERM || errno == ESRCH)) {
		message.msg_control = NULL;
		message.msg_controllen = 0;
		n = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	if (n < 0)
		return -errno;
	return (size_t)n == p->data.len ? 0 : -ENOBUFS;
}

/* Puts what m has not received yet into its queue, by the other end. */
static int fill(const Dn__UnixFile *m, int other, struct dn_error *err)
{
	for (size_t i = 0; i < m->n_packets; i++) {
		int r = send_packet(other, m->packets[i]);
		if (r < 0)
			return dn_error_set(err, r, "cannot put %zu bytes into a unix socket", m->packets[i]->data.len);
	}
	return 0;
}

static int finish_one(const Dn__UnixFile *m, int fd, struct dn_error *err)
{
	if (m->shutdown & SENDS_NO_MORE)
		shutdown(fd, SHUT_WR);
	if (m->shutdown & RECEIVES_NO_MORE)
		shutdown(fd, SHUT_RD);
	return dn_socket_options_restore(fd, m->options, err);
}

/* Both ends; other is NULL where that was closed. */
static int open_pair(struct dn_restore *r, const Dn__UnixFile *m, const Dn__UnixFile *other, int ret[2],
		     struct dn_error *err)
{
	int n = make_pair(r, m, ret, err);

	if (n == 0)
		n = dn_socket_options_room(ret[1], other ? other->options : m->options, err);
	if (n == 0)
		n = dn_socket_options_room(ret[0], m->options, err);
	if (n == 0)
		n = fill(m, ret[1], err);
	if (n == 0 && other)
		n = fill(other, ret[0], err);
	if (n == 0 && other)
		n = finish_one(other, ret[1], err);
	if (n == 0 && !other) {
		close(ret[1]);
		ret[1] = -1;
	}
	return n < 0 ? n : finish_one(m, ret[0], err);
}

static int restore(struct dn_restore *r, const Dn__File *file, int *ret_fd, struct dn_error *err)
{
	const Dn__UnixFile *m = file->unix_socket;
	struct dn_open_file *own = dn_open_file(r->files, file->id),
			    *peer = m->peer ? dn_open_file(r->files, m->peer) : NULL;
	int pair[2] = { -1, -1 }, n = 0;

	if (own->made >= 0) {
		*ret_fd = DN_STEAL_FD(own->made);
		return 0;
	}
	if (!m->connected) {
		pair[0] = socket(AF_UNIX, (int)m->type | SOCK_CLOEXEC, 0);
		n = pair[0] < 0 ? dn_error_set(err, -errno, "cannot make a unix socket") : finish_one(m, pair[0], err);
	} else {
		n = open_pair(r, m, peer ? peer->message->unix_socket : NULL, pair, err);
	}
	if (n < 0) {
		dn_cleanup_fd(&pair[0]);
		dn_cleanup_fd(&pair[1]);
		return n;
	}
	*ret_fd = pair[0];
	if (peer)
		peer->made = pair[1];
	return 0;
}

const struct dn_file_driver dn_driver_unix = {
	.name = "unix",
	.match = match,
	.capture = capture,
	.capture_end = capture_end,
	.check = check,
	.restore = restore,
	.late = late,
};
