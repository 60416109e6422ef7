/* SPDX-License-Identifier: BSD-3-Clause */
/* inet.c - driver: TCP and UDP sockets
 *
 * Sockets that listen, that are bound or not, and UDP sockets connected to an address: all that they are shows in
 * getsockname, getpeername and options.  Connections of TCP within the tree: tcp.c.  Connections that lead outside,
 * datagrams that wait, and memberships in multicast groups are refused.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/proc.h"
#include "base/util.h"
#include "resource/drivers.h"
#include "resource/fileopen.h"
#include "resource/filetable.h"
#include "resource/message.h"
#include "resource/sockets.h"

const char *dn_inet_text(const ProtobufCBinaryData *a, char text[static 80])
{
	struct sockaddr_in6 six = {};
	struct sockaddr_in four;
	char ip[INET6_ADDRSTRLEN] = "?";

	memcpy(&six, a->data, DN_MIN(a->len, sizeof(six)));
	memcpy(&four, &six, sizeof(four));
	bool is_four = four.sin_family == AF_INET;
	inet_ntop(four.sin_family, is_four ? (void *)&four.sin_addr : (void *)&six.sin6_addr, ip, sizeof(ip));
	snprintf(text, 80, is_four ? "%s:%u" : "[%s]:%u", ip, ntohs(four.sin_port));
	return text;
}

/* ================= capture ================= */

static bool match(const struct dn_file_probe *probe)
{
	if (!S_ISSOCK(probe->st.st_mode) || probe->flags & O_PATH)
		return false;
	int domain = dn_socket_number(probe->fd, SOL_SOCKET, SO_DOMAIN),
	    protocol = dn_socket_number(probe->fd, SOL_SOCKET, SO_PROTOCOL);
	return (domain == AF_INET || domain == AF_INET6) && (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP);
}

static bool is_member(int fd, int level, unsigned int interface, const struct sockaddr_storage *group)
{
	struct group_filter filter = { .gf_interface = interface, .gf_group = *group };
	socklen_t len = sizeof(filter);

	return getsockopt(fd, level, MCAST_MSFILTER, &filter, &len) == 0;
}

/* The groups of this host that the socket is a member of: each must be asked for. */
static bool has_groups_4(int fd)
{
	_cleanup_text_ struct dn_text text = {};
	unsigned int interface = 0, value;

	if (dn_read_text(&text, NULL, "/proc/net/igmp") < 0)
		return false;
	for (const char *line = text.data; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		if (*line != '\t') {
			sscanf(line, "%u", &interface);
			continue;
		}
		struct sockaddr_storage group = {};
		struct sockaddr_in *in = (struct sockaddr_in *)&group;
		if (sscanf(line, "\t\t\t\t%8x", &value) != 1)
			continue;
		in->sin_family = AF_INET;
		in->sin_addr.s_addr = value; /* printed as it lies in memory */
		if (is_member(fd, IPPROTO_IP, interface, &group))
			return true;
	}
	return false;
}

static bool has_groups_6(int fd)
{
	_cleanup_text_ struct dn_text text = {};

	if (dn_read_text(&text, NULL, "/proc/net/igmp6") < 0)
		return false;
	for (const char *line = text.data; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		struct sockaddr_storage group = {};
		struct sockaddr_in6 *in = (struct sockaddr_in6 *)&group;
		unsigned int interface;
		char hex[33];
		if (sscanf(line, "%u %*s %32s", &interface, hex) != 2 || strlen(hex) != 32)
			continue;
		in->sin6_family = AF_INET6;
		for (int i = 0; i < 16; i++)
			sscanf(hex + 2 * i, "%2hhx", &in->sin6_addr.s6_addr[i]);
		if (is_member(fd, IPPROTO_IPV6, interface, &group))
			return true;
	}
	return false;
}

/* How long it is, or that it cannot be told. */
static bool has_filter(int fd)
{
	socklen_t len = 0;

	return getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, NULL, &len) < 0 || len;
}

/* What cannot be captured, and whether that may be over in a moment; NULL: nothing. */
static const char *state_of(const struct dn_file_probe *probe, Dn__InetFile *m, bool *ret_passing)
{
	struct tcp_info info = {};
	struct pollfd readable = { .fd = probe->fd, .events = POLLIN },
		      ended = { .fd = probe->fd, .events = POLLRDHUP };
	socklen_t len = sizeof(info);

	if (has_filter(probe->fd))
		return "filtered by BPF";
	if (m->protocol == IPPROTO_UDP) {
		if (has_groups_4(probe->fd) || (m->family == AF_INET6 && has_groups_6(probe->fd)))
			return "a member of a multicast group";
		*ret_passing = true;
		return poll(&readable, 1, 0) == 1 ? "holding datagrams that were not received" : NULL;
	}
	if (getsockopt(probe->fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
		return "unknown to the kernel";
	*ret_passing = true;
	m->listening = info.tcpi_state == TCP_LISTEN;
	if (m->listening) {
		m->backlog = info.tcpi_sacked; /* this is where the kernel tells it */
		return info.tcpi_unacked ? "listening, with connections that were not accepted yet" : NULL;
	}
	/* One that never was connected has nothing to say about its end. */
	if (info.tcpi_state == TCP_CLOSE)
		return poll(&ended, 1, 0) == 1 && ended.revents & POLLRDHUP ? "no longer connected" : NULL;
	return NULL; /* dn_tcp_capture() has its say */
}

static int get_address(int (*ask)(int, struct sockaddr *, socklen_t *), int fd, ProtobufCBinaryData *field)
{
	struct sockaddr_in6 a = {};
	socklen_t len = sizeof(a);

	if (ask(fd, (struct sockaddr *)&a, &len) < 0)
		return 0;
	return dn_message_bytes(field, &a, DN_MIN(len, (socklen_t)sizeof(a)));
}

static int get_own(int fd, struct sockaddr *a, socklen_t *len)
{
	return getsockname(fd, a, len);
}

static int get_peer(int fd, struct sockaddr *a, socklen_t *len)
{
	return getpeername(fd, a, len);
}

static bool is_bound(const Dn__InetFile *m)
{
	struct sockaddr_in6 a = {};

	memcpy(&a, m->local.data, DN_MIN(m->local.len, sizeof(a)));
	return a.sin6_port != 0; /* at the same place in both */
}

static int capture(struct dn_capture *c, const struct dn_file_probe *probe, Dn__File *file, struct dn_error *err)
{
	Dn__InetFile *m = file->inet = dn_message_new(&dn__inet_file__descriptor);
	bool passing = false;
	char whose[96];

	if (!m || get_address(get_own, probe->fd, &m->local) < 0 || get_address(get_peer, probe->fd, &m->remote) < 0)
		return dn_error_set(err, -ENOMEM, "cannot list sockets");
	m->family = (uint32_t)dn_socket_number(probe->fd, SOL_SOCKET, SO_DOMAIN);
	m->type = (uint32_t)dn_socket_number(probe->fd, SOL_SOCKET, SO_TYPE);
	m->protocol = (uint32_t)dn_socket_number(probe->fd, SOL_SOCKET, SO_PROTOCOL);
	m->uid = probe->st.st_uid;
	m->gid = probe->st.st_gid;
	const char *what = state_of(probe, m, &passing);
	if (what) {
		int r = dn_error_refuse(err, "%s a %s socket that is %s, which cannot be captured yet",
					dn_probe_whose(probe, whose), m->protocol == IPPROTO_TCP ? "TCP" : "UDP", what);
		return passing ? dn_error_passing(err) : r;
	}
	if (!is_bound(m))
		dn_message_bytes(&m->local, NULL, 0);
	return dn_socket_options_capture(probe->fd, &m->options, err);
}

static int capture_end(struct dn_capture *c, struct dn_error *err)
{
	int r = 0;

	for (size_t i = 0; i < c->files->count && r == 0; i++) {
		struct dn_description *d = &c->files->descriptions[i];
		if (d->driver == &dn_driver_inet && d->file->inet->type == SOCK_STREAM && d->file->inet->remote.len)
			r = dn_tcp_capture(c, d, err);
	}
	return r;
}

/* ================= restore ================= */

static bool is_address(const Dn__InetFile *m, const ProtobufCBinaryData *a)
{
	sa_family_t family;

	if (!a->len)
		return true;
	if (a->len != (m->family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6)))
		return false;
	memcpy(&family, a->data, sizeof(family));
	return family == m->family;
}

static int check(struct dn_restore *r, const Dn__File *file, struct dn_error *err)
{
	const Dn__InetFile *m = file->inet;

	if (!m || (m->family != AF_INET && m->family != AF_INET6) || !is_address(m, &m->local) ||
	    !is_address(m, &m->remote) ||
	    !((m->type == SOCK_STREAM && m->protocol == IPPROTO_TCP && dn_tcp_check(r, file)) ||
	      (m->type == SOCK_DGRAM && m->protocol == IPPROTO_UDP && !m->listening && !m->peer)))
		return dn_error_say(err, -EINVAL, "file %u of the image is no TCP or UDP socket", file->id);
	return dn_socket_options_check(m->options, err);
}

/* What is left of closed connections, and others of the tree at the same port, must not stand in the way. */
int dn_inet_bind(int fd, const Dn__InetFile *m, struct dn_error *err)
{
	int on = 1;
	char text[80];

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (const struct sockaddr *)m->local.data, (socklen_t)m->local.len) < 0)
		return dn_error_set(err, -errno, "cannot bind a socket to %s: is another program there?",
				    dn_inet_text(&m->local, text));
	return 0;
}

static int restore(struct dn_restore *r, const Dn__File *file, int *ret_fd, struct dn_error *err)
{
	const Dn__InetFile *m = file->inet;
	char text[80];

	/* Connections first: who listens would accept them. */
	int n = dn_tcp_connect_all(r, err);
	if (n < 0 || m->peer) {
		*ret_fd = n < 0 ? -1 : DN_STEAL_FD(dn_open_file(r->files, file->id)->made);
		return n;
	}
	_cleanup_fd_ int fd = socket((int)m->family, (int)m->type | SOCK_CLOEXEC, (int)m->protocol);
	if (fd < 0)
		return dn_error_set(err, -errno, "cannot make a socket");
	/* Whoever shares a port must be of one user. */
	if ((m->uid != geteuid() || m->gid != getegid()) && fchown(fd, m->uid, m->gid) < 0 && errno != EPERM)
		return dn_error_set(err, -errno, "cannot give a socket to user %u", m->uid);
	n = dn_socket_options_restore(fd, m->options, err);
	if (n == 0 && m->local.len)
		n = dn_inet_bind(fd, m, err);
	if (n == 0 && m->remote.len &&
	    connect(fd, (const struct sockaddr *)m->remote.data, (socklen_t)m->remote.len) < 0)
		n = dn_error_set(err, -errno, "cannot connect a socket to %s", dn_inet_text(&m->remote, text));
	if (n == 0 && m->listening && listen(fd, (int)m->backlog) < 0)
		n = dn_error_set(err, -errno, "cannot listen at %s: does another program?",
				 dn_inet_text(&m->local, text));
	if (n < 0)
		return n;
	*ret_fd = DN_STEAL_FD(fd);
	return 0;
}

/* All are bound and listen: how they take others at their port is theirs to say again. */
static int set_reuse(const Dn__InetFile *m, int fd, struct dn_error *err)
{
	for (size_t i = 0; i < m->options->n_numbers; i++) {
		const Dn__SocketOption *o = m->options->numbers[i];
		if (o->level == SOL_SOCKET && o->name == SO_REUSEADDR &&
		    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &o->value, sizeof(o->value)) < 0)
			return dn_error_set(err, -errno, "cannot set SO_REUSEADDR of a socket");
	}
	return 0;
}

static int start(struct dn_restore *r, const Dn__File *file, int fd, struct dn_error *err)
{
	return set_reuse(file->inet, fd, err);
}

const struct dn_file_driver dn_driver_inet = {
	.name = "inet",
	.match = match,
	.capture = capture,
	.capture_end = capture_end,
	.check = check,
	.restore = restore,
	.start = start,
};
