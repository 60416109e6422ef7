/* SPDX-License-Identifier: BSD-3-Clause */
/* unixopen.c - restart: unix sockets, all of them at once, since each depends on others
 *
 * Theory of operation, in this order:
 *   1. sockets that stand alone are made, bound and set listening;
 *   2. pairs are made; connections that a listener accepted are connected to it and accepted again (or, if
 *      it is gone, to one that is made for the moment), which gives both ends the names that they had;
 *   3. what was not received yet is sent by the other end, datagrams by the socket that sent them;
 *   4. datagram sockets are connected, and clients that wait to be accepted begin to;
 *   5. shutdown and options, which would change all of the above.
 * The kernel notes who makes a pair, connects and listens (SO_PEERCRED): these calls are made by the process that made
 * them, with the user and group that it had.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "base/log.h"
#include "base/util.h"
#include "resource/drivers.h"
#include "resource/fileopen.h"
#include "resource/sockets.h"

#define DESCRIPTORS_MAX 253 /* in one message: the kernel's SCM_MAX_FD */
#define RECEIVES_NO_MORE 1u
#define SENDS_NO_MORE 2u

static const Dn__UnixFile *unix_of(struct dn_restore *r, uint32_t id)
{
	const struct dn_open_file *f = id ? dn_open_file(r->files, id) : NULL;

	return f ? f->message->unix_socket : NULL;
}

static socklen_t address(const ProtobufCBinaryData *name, struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (!name->len)
		return (socklen_t)offsetof(struct sockaddr_un, sun_path);
	memcpy(ret->sun_path, name->data, name->len);
	bool path = name->data[0] && name->len < sizeof(ret->sun_path);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + name->len + path);
}

static bool is_path(const Dn__UnixFile *m)
{
	return m->name.len && m->name.data[0] && !m->accepted;
}

/* For people. */
static const char *name_of(const Dn__UnixFile *m)
{
	static __thread char text[160];

	if (!m->name.len)
		return "without a name";
	snprintf(text, sizeof(text), "%s%.*s", m->name.data[0] ? "" : "@", (int)m->name.len - !m->name.data[0],
		 (const char *)m->name.data + !m->name.data[0]);
	return text;
}

/* ================= check ================= */

/* Is a program behind the socket file? */
static bool answers(const Dn__UnixFile *m)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	_cleanup_fd_ int fd = socket(AF_UNIX, (int)m->type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || strlen(m->path) >= sizeof(a.sun_path))
		return false;
	strcpy(a.sun_path, m->path);
	return connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0 || errno == EAGAIN || errno == EPROTOTYPE;
}

static int check_file(const Dn__UnixFile *m, struct dn_error *err)
{
	struct stat st;

	if (lstat(m->path, &st) < 0)
		return errno == ENOENT ? 0 : dn_error_set(err, -errno, "cannot look at %s", m->path);
	if (!S_ISSOCK(st.st_mode))
		return dn_error_say(err, -EEXIST,
				    "%s, where the program has a unix socket, is something else now: "
				    "move it away",
				    m->path);
	if (answers(m))
		return dn_error_say(err, -EADDRINUSE,
				    "another program has a unix socket at %s now, where the program of the image has "
				    "one: end that",
				    m->path);
	return 0;
}

static bool is_peer_good(struct dn_restore *r, const Dn__File *file)
{
	const Dn__UnixFile *m = file->unix_socket, *peer = unix_of(r, m->peer), *listener = unix_of(r, m->listener),
			   *waits_at = unix_of(r, m->waits_at);

	if ((m->peer && (!peer || peer->type != m->type)) || (m->listener && (!listener || !listener->listening)) ||
	    (m->waits_at && (!waits_at || !waits_at->listening || !waits_at->name.len)))
		return false;
	if (m->type == SOCK_DGRAM)
		return !m->peer || peer->name.len || (peer->peer == file->id && !m->name.len);
	return !m->peer || (m->peer != file->id && peer->peer == file->id && !(m->accepted && peer->accepted));
}

int dn_unix_check(struct dn_restore *r, const Dn__File *file, struct dn_error *err)
{
	const Dn__UnixFile *m = file->unix_socket;

	if (!m || (m->type != SOCK_STREAM && m->type != SOCK_DGRAM && m->type != SOCK_SEQPACKET) ||
	    m->name.len > sizeof(((struct sockaddr_un *)0)->sun_path) ||
	    ((m->listening || m->accepted) && (!m->name.len || m->type == SOCK_DGRAM)))
		return dn_error_say(err, -EINVAL, "file %u of the image is no unix socket", file->id);
	for (size_t i = 0; i < m->n_packets; i++)
		if (m->packets[i]->name.len > sizeof(((struct sockaddr_un *)0)->sun_path) ||
		    m->packets[i]->n_files > DESCRIPTORS_MAX)
			return dn_error_say(err, -EINVAL, "file %u of the image has a message that cannot be",
					    file->id);
	if (!is_peer_good(r, file))
		return dn_error_say(err, -EINVAL, "file %u of the image has a peer that is not its own", file->id);
	int n = dn_socket_options_check(m->options, err);
	return n < 0 || !m->path[0] || m->accepted ? n : check_file(m, err);
}

/* ================= calls in a process of the tree ================= */

/* The process with that id, else any. */
static struct dn_process *seed_of(struct dn_restore *r, uint32_t pid)
{
	struct dn_process *any = NULL;

	for (size_t i = r->seed_count; i-- > 0;) {
		any = r->seeds[i] ? r->seeds[i] : any;
		if (any && (uint32_t)any->pid == pid)
			break;
	}
	return any;
}

/* The process that has the file, as far as the image tells. */
static uint32_t holder_of(struct dn_restore *r, const Dn__File *file)
{
	size_t count;
	const struct dn_image_process *p = dn_image_processes(r->image, &count);

	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < p[i].process->n_fds; k++)
			if (p[i].process->fds[k]->file == file->id)
				return p[i].process->pid;
	return 0;
}

/* What is noted of the process that calls. */
struct caller {
	struct dn_process *process;
	uint32_t uid, gid;
	bool other; /* than dunlin's */
};

static int caller_of(struct dn_restore *r, const Dn__UnixFile *m, uint32_t otherwise, struct caller *ret,
		     struct dn_error *err)
{
	*ret = (struct caller){ .process = seed_of(r, m->pid ? m->pid : otherwise), .uid = m->uid, .gid = m->gid };
	ret->other = m->pid && (m->uid != geteuid() || m->gid != getegid());
	return ret->process ? 0 : dn_error_say(err, -ESRCH, "there is no process to make sockets");
}

static void begin(struct dn_batch *b, const struct caller *c)
{
	dn_batch_begin(b, c->process->threads[0]->remote);
	if (!c->other)
		return;
	dn_batch_try(b, "set a group", SYS_setresgid, (uint64_t)-1, c->gid, (uint64_t)-1);
	dn_batch_try(b, "set a user", SYS_setresuid, (uint64_t)-1, c->uid, (uint64_t)-1);
}

static int run(struct dn_batch *b, const struct caller *c, struct dn_error *err)
{
	if (c->other) {
		dn_batch_call(b, "set the user back", SYS_setresuid, (uint64_t)-1, geteuid(), (uint64_t)-1);
		dn_batch_call(b, "set the group back", SYS_setresgid, (uint64_t)-1, getegid(), (uint64_t)-1);
	}
	int n = dn_batch_run(b, err);
	return n < 0 ? dn_error_wrap(err, "process %d", c->process->pid) : 0;
}

/* Moves descriptors from the process to dunlin. */
static int take(const struct caller *c, const int *numbers, int *ret, size_t count, struct dn_error *err)
{
	struct dn_batch b;
	int n = 0;

	dn_batch_begin(&b, c->process->threads[0]->remote);
	for (size_t i = 0; i < count; i++) {
		ret[i] = (int)syscall(SYS_pidfd_getfd, c->process->pidfd, numbers[i], 0);
		if (ret[i] < 0)
			n = dn_error_set(err, -errno, "cannot get at a socket of process %d", c->process->pid);
		dn_batch_call(&b, "close a socket", SYS_close, (uint64_t)numbers[i]);
	}
	int k = dn_batch_run(&b, n < 0 ? NULL : err);
	return n < 0 ? n : k;
}

static int make_pair(const struct caller *c, uint32_t type, int ret[2], struct dn_error *err)
{
	struct dn_batch b;
	void *local;

	begin(&b, c);
	uint64_t at = dn_batch_alloc(&b, 2 * sizeof(int), &local);
	dn_batch_call(&b, "make a pair of sockets", SYS_socketpair, AF_UNIX, type | SOCK_CLOEXEC, 0, at);
	int n = run(&b, c, err);
	const int *numbers = local;
	return n < 0 ? n : take(c, (const int[2]){ numbers[0], numbers[1] }, ret, 2, err);
}

/* A socket in the process; its number there. */
static int make_there(const struct caller *c, uint32_t type, int *ret_number, struct dn_error *err)
{
	struct dn_batch b;

	dn_batch_begin(&b, c->process->threads[0]->remote);
	size_t i = dn_batch_call(&b, "make a socket", SYS_socket, AF_UNIX, type | SOCK_CLOEXEC);
	int n = dn_batch_run(&b, err);
	*ret_number = n < 0 ? -1 : (int)dn_batch_result(&b, i);
	return n;
}

/* bind or connect, as nr says. */
static void queue_name(struct dn_batch *b, const char *what, long nr, int number, const ProtobufCBinaryData *name)
{
	struct sockaddr_un a;
	socklen_t len = address(name, &a);

	dn_batch_call(b, what, nr, (uint64_t)number, dn_batch_put(b, &a, sizeof(a)), len);
}

/* ================= names ================= */

/* What stood at the path is dead: check_file() has seen to that. */
static int clear_path(const char *path, struct dn_error *err)
{
	struct stat st;

	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode) && unlink(path) < 0)
		return dn_error_set(err, -errno, "cannot remove the dead socket %s", path);
	return 0;
}

/* The file has the name that bind gave it: then it gets the one that it should have, and its owner and mode. */
static int settle_file(struct dn_open_file *f, const char *bound, struct dn_error *err)
{
	const Dn__UnixFile *m = f->message->unix_socket;

	if (!m->path[0]) {
		if (unlink(bound) < 0)
			return dn_error_set(err, -errno, "cannot remove %s, which was removed before", bound);
		return 0;
	}
	f->on_disk = true;
	if (strcmp(bound, m->path) && rename(bound, m->path) < 0)
		return dn_error_set(err, -errno, "cannot rename the socket %s to %s", bound, m->path);
	if (lchown(m->path, m->file_uid, m->file_gid) < 0 && errno != EPERM)
		return dn_error_set(err, -errno, "cannot give %s to user %u", m->path, m->file_uid);
	if (chmod(m->path, m->file_mode & 07777) < 0)
		return dn_error_set(err, -errno, "cannot set the mode of %s", m->path);
	return 0;
}

/* Where bind() in the process puts the file. */
static void bound_path(const struct caller *c, const Dn__UnixFile *m, char path[PATH_MAX])
{
	if (m->name.data[0] == '/')
		snprintf(path, PATH_MAX, "%.*s", (int)m->name.len, (const char *)m->name.data);
	else
		snprintf(path, PATH_MAX, "/proc/%d/cwd/%.*s", c->process->pid, (int)m->name.len,
			 (const char *)m->name.data);
}

static bool same_file(const char *a, const char *b)
{
	struct stat x, y;

	return lstat(a, &x) == 0 && lstat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static int bind_there(const struct caller *c, struct dn_open_file *f, int number, struct dn_error *err)
{
	const Dn__UnixFile *m = f->message->unix_socket;
	char path[PATH_MAX] = "";
	struct dn_batch b;
	int n = 0;

	if (!m->name.len || m->accepted)
		return 0;
	if (is_path(m)) {
		bound_path(c, m, path);
		n = m->path[0] ? clear_path(m->path, err) : 0;
	}
	if (n == 0) {
		begin(&b, c);
		queue_name(&b, "bind a socket", SYS_bind, number, &m->name);
		n = run(&b, c, err);
	}
	if (n < 0)
		return dn_error_wrap(err, "unix socket %s", name_of(m));
	if (!is_path(m))
		return 0;
	return settle_file(f, m->path[0] && same_file(path, m->path) ? m->path : path, err);
}

/* ================= the phases ================= */

static bool is_alone(struct dn_restore *r, const Dn__File *file)
{
	const Dn__UnixFile *m = file->unix_socket, *peer = unix_of(r, m->peer);

	if (m->type == SOCK_DGRAM)
		return !m->connected || m->name.len || (peer && (peer->name.len || peer->peer != file->id));
	return !m->connected || m->waits_at;
}

static int make_alone(struct dn_restore *r, struct dn_open_file *f, struct dn_error *err)
{
	const Dn__UnixFile *m = f->message->unix_socket;
	struct caller c;
	struct dn_batch b;
	int number = -1;

	int n = caller_of(r, m, holder_of(r, f->message), &c, err);
	if (n == 0)
		n = make_there(&c, m->type, &number, err);
	if (n == 0)
		n = bind_there(&c, f, number, err);
	if (n == 0 && m->listening) {
		begin(&b, &c);
		dn_batch_call(&b, "let a socket listen", SYS_listen, (uint64_t)number, m->backlog);
		n = run(&b, &c, err);
	}
	return n < 0 ? n : take(&c, &number, &f->made, 1, err);
}

/* A pair; where the other end was closed it is made all the same, to be filled from. */
static int make_both(struct dn_restore *r, struct dn_open_file *f, struct dn_open_file *other, int *ret_gone,
		     struct dn_error *err)
{
	const Dn__UnixFile *m = f->message->unix_socket;
	struct caller c;
	int pair[2] = { -1, -1 };

	int n = caller_of(r, m, holder_of(r, f->message), &c, err);
	if (n == 0)
		n = make_pair(&c, m->type, pair, err);
	f->made = pair[0];
	*(other ? &other->made : ret_gone) = pair[1];
	return n;
}

/* A listener for the moment, in place of one that is gone. */
static int make_listener(const Dn__UnixFile *m, struct dn_error *err)
{
	struct sockaddr_un a;
	socklen_t len = address(&m->name, &a);
	_cleanup_fd_ int fd = socket(AF_UNIX, (int)m->type | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, len) < 0 || listen(fd, 1) < 0)
		return dn_error_set(err, -errno, "cannot make a unix socket of the name %s", name_of(m));
	return DN_STEAL_FD(fd);
}

static int connect_and_accept(struct dn_restore *r, struct dn_open_file *f, struct dn_open_file *client, int listener,
			      int *ret_gone, struct dn_error *err)
{
	const Dn__UnixFile *m = f->message->unix_socket;
	struct caller c;
	struct dn_batch b;
	int number = -1;

	int n = caller_of(r, m, client ? holder_of(r, client->message) : 0, &c, err);
	if (n == 0)
		n = make_there(&c, m->type, &number, err);
	if (n == 0 && client)
		n = bind_there(&c, client, number, err);
	if (n == 0) {
		begin(&b, &c);
		queue_name(&b, "connect a socket", SYS_connect, number, &m->name);
		n = run(&b, &c, err);
	}
	if (n < 0)
		return dn_error_wrap(err, "unix socket %s", name_of(m));
	f->made = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (f->made < 0)
		return dn_error_set(err, -errno, "cannot accept a connection at %s", name_of(m));
	return take(&c, &number, client ? &client->made : ret_gone, 1, err);
}

static int make_accepted(struct dn_restore *r, struct dn_open_file *f, struct dn_open_file *client, int *ret_gone,
			 struct dn_error *err)
{
	const Dn__UnixFile *m = f->message->unix_socket;

	if (m->listener)
		return connect_and_accept(r, f, client, dn_open_file(r->files, m->listener)->made, ret_gone, err);
	_cleanup_fd_ int listener = make_listener(m, err);
	if (listener < 0)
		return listener;
	struct sockaddr_un a;
	address(&m->name, &a);
	int n = connect_and_accept(r, f, client, listener, ret_gone, err);
	if (a.sun_path[0])
		unlink(a.sun_path);
	return n;
}

/* ---- what was on its way ---- */

/* dunlin's descriptor of a file that travels in a message. */
static int traveller(struct dn_restore *r, uint32_t id)
{
	const struct dn_open_file *f = dn_open_file(r->files, id);

	return !f ? -1 : f->message->unix_socket ? f->made : f->fd;
}

static void put_control(struct msghdr *m, int type, const void *data, size_t size)
{
	struct cmsghdr *c = (struct cmsghdr *)((char *)m->msg_control + m->msg_controllen);

	*c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(size), .cmsg_level = SOL_SOCKET, .cmsg_type = type };
	memcpy(CMSG_DATA(c), data, size);
	m->msg_controllen += CMSG_SPACE(size);
}

static int send_packet(struct dn_restore *r, int fd, const Dn__UnixPacket *p, const struct sockaddr_un *to,
		       socklen_t to_len)
{
	union {
		char room[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int))];
		struct cmsghdr align;
	} control = {};
	const struct ucred u = { .pid = (pid_t)p->pid, .uid = p->uid, .gid = p->gid };
	struct iovec iov = { p->data.data, p->data.len };
	struct msghdr message = {
		.msg_name = (void *)to, .msg_namelen = to_len, .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control
	};
	int fds[DESCRIPTORS_MAX];

	for (size_t i = 0; i < p->n_files; i++)
		fds[i] = traveller(r, p->files[i]);
	if (p->n_files)
		put_control(&message, SCM_RIGHTS, fds, p->n_files * sizeof(int));
	size_t without = message.msg_controllen;
	if (p->has_credentials)
		put_control(&message, SCM_CREDENTIALS, &u, sizeof(u));
	ssize_t n = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	/* The sender is gone, or not ours to speak for: then without saying who it was. */
	if (n < 0 && p->has_credentials && (errno == EPERM || errno == ESRCH)) {
		message.msg_controllen = without;
		n = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	if (n < 0)
		return -errno;
	return (size_t)n == p->data.len ? 0 : -ENOBUFS;
}

/* The socket of the tree that has the sender's name, or one made for it; -errno. */
static int sender_of(struct dn_restore *r, const Dn__UnixPacket *p, bool *ret_own)
{
	struct dn_open_files *o = r->files;
	struct sockaddr_un a;

	*ret_own = false;
	for (size_t i = 0; i < o->count && p->name.len; i++) {
		const Dn__UnixFile *m = o->files[i].message->unix_socket;
		if (m && m->type == SOCK_DGRAM && m->name.len == p->name.len &&
		    !memcmp(m->name.data, p->name.data, p->name.len))
			return o->files[i].made;
	}
	*ret_own = true;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	/* An abstract name can be had for the moment; the file of another has gone with it. */
	if (fd >= 0 && p->name.len && !p->name.data[0])
		(void)!bind(fd, (struct sockaddr *)&a, address(&p->name, &a));
	return fd < 0 ? -errno : fd;
}

static int send_datagram(struct dn_restore *r, const Dn__UnixFile *m, const Dn__UnixPacket *p, int other)
{
	struct sockaddr_un to = {};
	socklen_t len = 0;
	bool own = false;
	int fd = other;

	/* The other end of a pair sends without naming anybody. */
	if (fd < 0) {
		ProtobufCBinaryData path = { strlen(m->path), (uint8_t *)m->path };
		if (path.len >= sizeof(to.sun_path) || (is_path(m) && !path.len))
			return -ENAMETOOLONG;
		len = address(is_path(m) ? &path : &m->name, &to);
		fd = sender_of(r, p, &own);
	}
	int n = fd < 0 ? fd : send_packet(r, fd, p, len ? &to : NULL, len);
	if (own && fd >= 0)
		close(fd);
	return n;
}

/* Puts what f has not received yet into its queue.  other: the other end of its connection, -1: none. */
static int fill(struct dn_restore *r, const struct dn_open_file *f, int other, struct dn_error *err)
{
	const Dn__UnixFile *m = f->message->unix_socket;

	for (size_t i = 0; i < m->n_packets; i++) {
		const Dn__UnixPacket *p = m->packets[i];
		int n = m->type == SOCK_DGRAM ? send_datagram(r, m, p, other) : send_packet(r, other, p, NULL, 0);
		if (n < 0)
			return dn_error_set(err, n, "cannot put %zu bytes into the unix socket %s", p->data.len,
					    name_of(m));
	}
	return 0;
}

/* Connections, each from the end that makes it. */
static bool makes(struct dn_restore *r, const Dn__File *file)
{
	const Dn__UnixFile *m = file->unix_socket, *peer = unix_of(r, m->peer);

	return !is_alone(r, file) && (!peer || m->accepted || (!peer->accepted && file->id < m->peer));
}

static int make_connected(struct dn_restore *r, struct dn_open_file *f, struct dn_error *err)
{
	const Dn__UnixFile *m = f->message->unix_socket;
	struct dn_open_file *other = m->peer ? dn_open_file(r->files, m->peer) : NULL;

	return m->accepted ? make_accepted(r, f, other, &f->gone, err) : make_both(r, f, other, &f->gone, err);
}

/* Both directions of a connection. */
static int fill_connected(struct dn_restore *r, struct dn_open_file *f, struct dn_error *err)
{
	const Dn__UnixFile *m = f->message->unix_socket;
	struct dn_open_file *other = m->peer ? dn_open_file(r->files, m->peer) : NULL;
	int far = other ? other->made : f->gone;

	int n = dn_socket_options_room(far, other ? other->message->unix_socket->options : m->options, err);
	if (n == 0)
		n = dn_socket_options_room(f->made, m->options, err);
	if (n == 0)
		n = fill(r, f, far, err);
	if (n == 0 && other)
		n = fill(r, other, f->made, err);
	dn_cleanup_fd(&f->gone);
	f->gone = -1;
	return n;
}

static int fill_alone(struct dn_restore *r, struct dn_open_file *f, struct dn_error *err)
{
	return fill(r, f, -1, err);
}

/* ---- the end ---- */

static int connect_alone(struct dn_restore *r, struct dn_open_file *f, struct dn_error *err)
{
	const Dn__UnixFile *m = f->message->unix_socket, *to = unix_of(r, m->waits_at ? m->waits_at : m->peer);
	struct sockaddr_un a;

	if (!to)
		return 0;
	ProtobufCBinaryData path = { strlen(to->path), (uint8_t *)to->path };
	if (path.len >= sizeof(a.sun_path) || (is_path(to) && !path.len))
		return dn_error_say(err, -ENOENT, "cannot connect a unix socket to %s: its file was removed",
				    name_of(to));
	socklen_t len = address(is_path(to) ? &path : &to->name, &a);
	if (connect(f->made, (struct sockaddr *)&a, len) < 0)
		return dn_error_set(err, -errno, "cannot connect a unix socket to %s", name_of(to));
	return 0;
}

static int finish(struct dn_restore *r, struct dn_open_file *f, struct dn_error *err)
{
	const Dn__UnixFile *m = f->message->unix_socket;

	if (m->shutdown & SENDS_NO_MORE)
		shutdown(f->made, SHUT_WR);
	if (m->shutdown & RECEIVES_NO_MORE)
		shutdown(f->made, SHUT_RD);
	return dn_socket_options_restore(f->made, m->options, err);
}

static bool any(struct dn_restore *r, const Dn__File *file)
{
	return true;
}

int dn_unix_make_all(struct dn_restore *r, struct dn_error *err)
{
	static const struct {
		bool (*concerns)(struct dn_restore *r, const Dn__File *file);
		int (*step)(struct dn_restore *r, struct dn_open_file *f, struct dn_error *err);
	} phases[] = {
		{ is_alone, make_alone }, { makes, make_connected },   { makes, fill_connected },
		{ is_alone, fill_alone }, { is_alone, connect_alone }, { any, finish },
	};
	struct dn_open_files *o = r->files;
	int n = 0;

	if (o->unix_made)
		return 0;
	o->unix_made = true;
	for (size_t p = 0; p < DN_ARRAY_LEN(phases) && n == 0; p++)
		for (size_t i = 0; i < o->count && n == 0; i++)
			if (o->files[i].message->unix_socket && phases[p].concerns(r, o->files[i].message))
				n = phases[p].step(r, &o->files[i], err);
	return n;
}

void dn_unix_unmake(struct dn_restore *r)
{
	for (size_t i = 0; i < r->files->count; i++)
		if (r->files->files[i].on_disk)
			unlink(r->files->files[i].message->unix_socket->path);
}
