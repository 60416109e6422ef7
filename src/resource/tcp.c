/* SPDX-License-Identifier: BSD-3-Clause */
/* tcp.c - connections of TCP with both ends in the tree
 *
 * Theory of operation: since both ends are here, sequence numbers need not be kept: a new connection between the same
 * addresses is as good.  What was received and not read is looked at with MSG_PEEK.  What was sent and not received
 * arrives by itself while the tree is held, unless the receiver's window is closed: then it is read in repair
 * mode (TCP_REPAIR, tcp(7); needs CAP_NET_ADMIN).  At restart one end is accepted by a listener that is there for the
 * moment, the other connects; then each sends what the other has not read, and what was on its way behind it.
 *
 * Connections end with a reset when the tree is killed: in TIME_WAIT they would keep their ports for a minute.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include "base/util.h"
#include "resource/drivers.h"
#include "resource/fileopen.h"
#include "resource/filetable.h"
#include "resource/message.h"
#include "resource/sockets.h"

#define ARRIVAL_MS 300 /* acknowledgements are delayed by 200 ms at most (TCP_DELACK_MAX) */
#define QUEUE_MAX (64 << 20)

/* Addresses as IPv6 knows them, so that both ends of a connection can be compared. */
static struct sockaddr_in6 normal(const ProtobufCBinaryData *a)
{
	struct sockaddr_in6 six = {};
	struct sockaddr_in four;

	memcpy(&six, a->data, DN_MIN(a->len, sizeof(six)));
	memcpy(&four, &six, sizeof(four));
	if (four.sin_family == AF_INET) {
		six = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = four.sin_port };
		six.sin6_addr.s6_addr[10] = six.sin6_addr.s6_addr[11] = 0xff;
		memcpy(&six.sin6_addr.s6_addr[12], &four.sin_addr, sizeof(four.sin_addr));
	}
	return six;
}

static bool same(const ProtobufCBinaryData *a, const ProtobufCBinaryData *b)
{
	struct sockaddr_in6 x = normal(a), y = normal(b);

	return x.sin6_port == y.sin6_port && !memcmp(&x.sin6_addr, &y.sin6_addr, sizeof(x.sin6_addr));
}

/* ================= capture ================= */

static int refuse(const struct dn_description *d, const char *what, struct dn_error *err)
{
	char own[80], far[80];

	return dn_error_refuse(err, "process %d has descriptor %d open on a TCP connection from %s to %s, %s",
			       d->process->pid, d->number, dn_inet_text(&d->file->inet->local, own),
			       dn_inet_text(&d->file->inet->remote, far), what);
}

static const struct dn_description *peer_of(const struct dn_capture *c, const Dn__InetFile *m)
{
	for (size_t i = 0; i < c->files->count; i++) {
		const struct dn_description *d = &c->files->descriptions[i];
		const Dn__InetFile *other = d->file->inet;
		if (other && other != m && other->type == m->type && other->remote.len &&
		    same(&other->local, &m->remote) && same(&other->remote, &m->local))
			return d;
	}
	return NULL;
}

/* A whole queue, looked at. */
static int peek(int fd, int size, ProtobufCBinaryData *field)
{
	if (size <= 0)
		return 0;
	if (size > QUEUE_MAX)
		return -EFBIG;
	_cleanup_free_ unsigned char *buffer = malloc((size_t)size);
	ssize_t n = buffer ? recv(fd, buffer, (size_t)size, MSG_PEEK | MSG_DONTWAIT) : -1;
	if (!buffer)
		return -ENOMEM;
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	return dn_message_bytes(field, buffer, (size_t)n);
}

/* What has not arrived after a while does not: it is in our queue, and nowhere else. */
static int capture_sent(const struct dn_description *d, int fd, bool fin, struct dn_error *err)
{
	Dn__InetFile *m = d->file->inet;
	int left = 0, on = TCP_REPAIR_ON, off = TCP_REPAIR_OFF_NO_WP, queue = TCP_SEND_QUEUE;

	for (int ms = 0; ms < ARRIVAL_MS; ms++) {
		if (ioctl(fd, TIOCOUTQ, &left) < 0 || left == 0)
			return 0;
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	if (setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on)) < 0)
		return refuse(d, "with data that its receiver has no room for: that takes CAP_NET_ADMIN; try as root",
			      err);
	int r = setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, &queue, sizeof(queue)) < 0
			? -errno
			: peek(fd, left - fin, &m->sent);
	queue = TCP_NO_QUEUE;
	setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, &queue, sizeof(queue));
	if (setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &off, sizeof(off)) < 0 && r == 0)
		r = -errno;
	if (r == 0 && m->sent.len != (size_t)(left - fin))
		r = -EIO;
	return r < 0 ? dn_error_set(err, r, "cannot read what descriptor %d of process %d has sent", d->number,
				    d->process->pid)
		     : 0;
}

static int capture_queues(struct dn_description *d, int fd, unsigned int state, struct dn_error *err)
{
	struct pollfd now = { .fd = fd, .events = POLLIN | POLLPRI | POLLRDHUP };
	Dn__InetFile *m = d->file->inet;
	int waiting = 0;

	poll(&now, 1, 0);
	if (now.revents & (POLLERR | POLLPRI))
		return refuse(d, now.revents & POLLERR ? "which has failed" : "with urgent data", err);
	m->sends_no_more =
		state == TCP_FIN_WAIT1 || state == TCP_FIN_WAIT2 || state == TCP_CLOSING || state == TCP_LAST_ACK;
	m->receives_no_more = now.revents & POLLRDHUP &&
			      (state == TCP_ESTABLISHED || state == TCP_FIN_WAIT1 || state == TCP_FIN_WAIT2);
	int r = capture_sent(d, fd, m->sends_no_more, err);
	if (r < 0)
		return r;
	if (ioctl(fd, FIONREAD, &waiting) < 0)
		return dn_error_set(err, -errno, "cannot look at descriptor %d of process %d", d->number,
				    d->process->pid);
	r = peek(fd, waiting, &m->received);
	return r < 0 ? dn_error_set(err, r, "cannot read what is in descriptor %d of process %d", d->number,
				    d->process->pid)
		     : 0;
}

int dn_tcp_capture(struct dn_capture *c, struct dn_description *d, struct dn_error *err)
{
	const struct dn_description *other = peer_of(c, d->file->inet);
	struct tcp_info info = {};
	socklen_t len = sizeof(info);

	if (!other)
		return refuse(d, "which is not in the tree", err);
	_cleanup_fd_ int fd = dn_description_get(d, err);
	if (fd < 0)
		return fd;
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
		return dn_error_set(err, -errno, "cannot look at descriptor %d of process %d", d->number,
				    d->process->pid);
	if (info.tcpi_state == TCP_SYN_SENT || info.tcpi_state == TCP_SYN_RECV || info.tcpi_state == TCP_TIME_WAIT)
		return refuse(d, "which is being made or ended", err), dn_error_passing(err);
	d->file->inet->peer = other->file->id;
	return capture_queues(d, fd, info.tcpi_state, err);
}

void dn_tcp_before_kill(struct dn_capture *c)
{
	const struct linger at_once = { .l_onoff = 1 };

	for (size_t i = 0; i < c->files->count; i++) {
		const struct dn_description *d = &c->files->descriptions[i];
		if (!d->file->inet || !d->file->inet->peer)
			continue;
		_cleanup_fd_ int fd = dn_description_get(d, NULL);
		if (fd >= 0)
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	}
}

/* ================= restore ================= */

static const Dn__InetFile *inet_of(struct dn_restore *r, uint32_t id)
{
	const struct dn_open_file *f = id ? dn_open_file(r->files, id) : NULL;

	return f ? f->message->inet : NULL;
}

bool dn_tcp_check(struct dn_restore *r, const Dn__File *file)
{
	const Dn__InetFile *m = file->inet, *peer = inet_of(r, m->peer);

	if (!m->remote.len)
		return !m->peer;
	return peer && peer != m && peer->peer == file->id && peer->type == m->type && m->local.len &&
	       same(&m->local, &peer->remote) && same(&m->remote, &peer->local);
}

/* A new socket of the kind, bound; *ret_fd is closed by the caller, also after a failure. */
static int make_bound(const Dn__InetFile *m, int *ret_fd, struct dn_error *err)
{
	int on = 1;

	*ret_fd = socket((int)m->family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*ret_fd < 0)
		return dn_error_set(err, -errno, "cannot make a socket");
	setsockopt(*ret_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	int n = dn_socket_options_room(*ret_fd, m->options, err);
	return n < 0 ? n : dn_inet_bind(*ret_fd, m, err);
}

/* Somebody else may come first, as the address is open to all. */
static int accept_peer(int listener, const Dn__InetFile *m, struct dn_error *err)
{
	const struct linger at_once = { .l_onoff = 1 };
	char text[80];

	for (;;) {
		struct sockaddr_in6 a = {};
		socklen_t len = sizeof(a);
		int fd = accept4(listener, (struct sockaddr *)&a, &len, SOCK_CLOEXEC);
		const ProtobufCBinaryData from = { len, (uint8_t *)&a };
		if (fd < 0)
			return dn_error_set(err, -errno, "cannot accept a connection at %s",
					    dn_inet_text(&m->local, text));
		if (same(&from, &m->remote))
			return fd;
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
		close(fd);
	}
}

static int make_connection(struct dn_open_file *f, struct dn_open_file *client, struct dn_error *err)
{
	const Dn__InetFile *m = f->message->inet, *other = client->message->inet;
	_cleanup_fd_ int listener = -1;
	char text[80];

	int n = make_bound(m, &listener, err);
	if (n == 0 && listen(listener, 8) < 0)
		n = dn_error_set(err, -errno, "cannot listen at %s", dn_inet_text(&m->local, text));
	if (n == 0)
		n = make_bound(other, &client->made, err);
	if (n == 0 &&
	    connect(client->made, (const struct sockaddr *)other->remote.data, (socklen_t)other->remote.len) < 0)
		n = dn_error_set(err, -errno, "cannot connect to %s", dn_inet_text(&other->remote, text));
	if (n < 0)
		return n;
	f->made = accept_peer(listener, m, err);
	return f->made < 0 ? f->made : 0;
}

static int send_all(int fd, const ProtobufCBinaryData *data, struct dn_error *err)
{
	size_t done = 0;
	int room = (int)DN_MIN(data->len, (size_t)QUEUE_MAX);

	while (done < data->len) {
		ssize_t n = send(fd, data->data + done, data->len - done, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN && room) { /* it was more densely packed before */
			setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
			room = 0;
			continue;
		}
		if (n < 0)
			return dn_error_set(err, -errno, "cannot put %zu bytes into a connection", data->len);
		done += (size_t)n;
	}
	return 0;
}

static int finish(const struct dn_open_file *f, struct dn_error *err)
{
	const Dn__InetFile *m = f->message->inet;

	if ((m->uid != geteuid() || m->gid != getegid()) && fchown(f->made, m->uid, m->gid) < 0 && errno != EPERM)
		return dn_error_set(err, -errno, "cannot give a socket to user %u", m->uid);
	if (m->sends_no_more)
		shutdown(f->made, SHUT_WR);
	if (m->receives_no_more)
		shutdown(f->made, SHUT_RD);
	int n = dn_socket_options_restore(f->made, m->options, err), on = 1;
	/* Until all are bound. */
	setsockopt(f->made, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	return n;
}

static int connect_one(struct dn_open_file *f, struct dn_open_file *other, struct dn_error *err)
{
	const Dn__InetFile *m = f->message->inet, *peer = other->message->inet;

	int n = make_connection(f, other, err);
	if (n == 0)
		n = send_all(other->made, &m->received, err);
	if (n == 0)
		n = send_all(f->made, &peer->received, err);
	if (n == 0)
		n = send_all(other->made, &peer->sent, err);
	if (n == 0)
		n = send_all(f->made, &m->sent, err);
	return n;
}

int dn_tcp_connect_all(struct dn_restore *r, struct dn_error *err)
{
	struct dn_open_files *o = r->files;
	int n = 0;

	if (o->tcp_made)
		return 0;
	o->tcp_made = true;
	for (size_t i = 0; i < o->count && n == 0; i++) {
		const Dn__InetFile *m = o->files[i].message->inet;
		if (m && m->peer && o->files[i].message->id < m->peer)
			n = connect_one(&o->files[i], dn_open_file(o, m->peer), err);
	}
	/* Options of one may concern the ports of others. */
	for (size_t i = 0; i < o->count && n == 0; i++)
		if (o->files[i].message->inet && o->files[i].message->inet->peer)
			n = finish(&o->files[i], err);
	return n;
}
