/* SPDX-License-Identifier: BSD-3-Clause */
/* sockopt.c - options that all sockets have
 *
 * They stand in tables.  They are read from the program's socket, those that it has, and set on the new one if
 * that has another value by itself.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/util.h"
#include "resource/message.h"
#include "resource/sockets.h"

#define MICRO 1000000ULL

static const struct option {
	int level, name;
	int force;	/* beyond the limit of the system, with privilege */
	bool doubled;	/* reads give twice what was set (socket(7)) */
	bool datagrams; /* means nothing to streams, and cannot be set */
} options[] = {
	{ SOL_SOCKET, SO_SNDBUF, SO_SNDBUFFORCE, .doubled = true },
	{ SOL_SOCKET, SO_RCVBUF, SO_RCVBUFFORCE, .doubled = true },
	{ SOL_SOCKET, SO_PASSCRED },
	{ SOL_SOCKET, SO_PASSSEC },
	{ SOL_SOCKET, SO_PEEK_OFF },
	{ SOL_SOCKET, SO_KEEPALIVE },
	{ SOL_SOCKET, SO_OOBINLINE },
	{ SOL_SOCKET, SO_PRIORITY },
	{ SOL_SOCKET, SO_TIMESTAMP },
	{ SOL_SOCKET, SO_REUSEADDR },
	{ SOL_SOCKET, SO_REUSEPORT },
	{ SOL_SOCKET, SO_BROADCAST },
	{ SOL_SOCKET, SO_DONTROUTE },
	{ SOL_SOCKET, SO_RCVLOWAT },
	{ SOL_SOCKET, SO_MARK },
	{ SOL_SOCKET, SO_BUSY_POLL },
	{ SOL_SOCKET, SO_NO_CHECK },
	{ SOL_SOCKET, SO_RXQ_OVFL },
	{ SOL_SOCKET, SO_SELECT_ERR_QUEUE },
	{ SOL_SOCKET, SO_ZEROCOPY },
	{ IPPROTO_IP, IP_TOS },
	{ IPPROTO_IP, IP_TTL },
	{ IPPROTO_IP, IP_MTU_DISCOVER },
	{ IPPROTO_IP, IP_RECVERR },
	{ IPPROTO_IP, IP_PKTINFO },
	{ IPPROTO_IP, IP_RECVTTL },
	{ IPPROTO_IP, IP_RECVTOS },
	{ IPPROTO_IP, IP_FREEBIND },
	{ IPPROTO_IP, IP_TRANSPARENT },
	{ IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT },
	{ IPPROTO_IP, IP_MULTICAST_TTL, .datagrams = true },
	{ IPPROTO_IP, IP_MULTICAST_LOOP, .datagrams = true },
	{ IPPROTO_IP, IP_MULTICAST_ALL, .datagrams = true },
	{ IPPROTO_IPV6, IPV6_V6ONLY },
	{ IPPROTO_IPV6, IPV6_UNICAST_HOPS },
	{ IPPROTO_IPV6, IPV6_TCLASS },
	{ IPPROTO_IPV6, IPV6_RECVPKTINFO },
	{ IPPROTO_IPV6, IPV6_RECVERR },
	{ IPPROTO_IPV6, IPV6_RECVHOPLIMIT },
	{ IPPROTO_IPV6, IPV6_RECVTCLASS },
	{ IPPROTO_IPV6, IPV6_MTU_DISCOVER },
	{ IPPROTO_IPV6, IPV6_MULTICAST_HOPS, .datagrams = true },
	{ IPPROTO_IPV6, IPV6_MULTICAST_LOOP, .datagrams = true },
	{ IPPROTO_TCP, TCP_NODELAY },
	{ IPPROTO_TCP, TCP_CORK },
	{ IPPROTO_TCP, TCP_KEEPIDLE },
	{ IPPROTO_TCP, TCP_KEEPINTVL },
	{ IPPROTO_TCP, TCP_KEEPCNT },
	{ IPPROTO_TCP, TCP_SYNCNT },
	{ IPPROTO_TCP, TCP_LINGER2 },
	{ IPPROTO_TCP, TCP_DEFER_ACCEPT },
	{ IPPROTO_TCP, TCP_USER_TIMEOUT },
	{ IPPROTO_TCP, TCP_NOTSENT_LOWAT },
	{ IPPROTO_TCP, TCP_FASTOPEN_CONNECT },
	{ IPPROTO_UDP, UDP_CORK },
	{ IPPROTO_UDP, UDP_SEGMENT },
	{ IPPROTO_UDP, UDP_GRO },
	{ IPPROTO_UDP, UDP_NO_CHECK6_TX },
	{ IPPROTO_UDP, UDP_NO_CHECK6_RX },
};

static const struct {
	int level, name;
} byte_options[] = {
	{ SOL_SOCKET, SO_LINGER },
	{ SOL_SOCKET, SO_BINDTODEVICE },
	{ IPPROTO_TCP, TCP_CONGESTION },
};

#define BYTES_MAX 64

/* 0: the socket has no such option. */
static socklen_t get_bytes(int fd, size_t i, char value[BYTES_MAX])
{
	socklen_t len = BYTES_MAX;

	memset(value, 0, BYTES_MAX);
	return getsockopt(fd, byte_options[i].level, byte_options[i].name, value, &len) == 0 ? len : 0;
}

int dn_socket_number(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	return getsockopt(fd, level, name, &value, &len) == 0 ? value : -1;
}

static bool get(int fd, const struct option *o, int *ret)
{
	socklen_t len = sizeof(*ret);

	return getsockopt(fd, o->level, o->name, ret, &len) == 0 && len == sizeof(*ret);
}

static const struct option *find(const Dn__SocketOption *m)
{
	for (size_t i = 0; i < DN_ARRAY_LEN(options); i++)
		if ((uint32_t)options[i].level == m->level && (uint32_t)options[i].name == m->name)
			return &options[i];
	return NULL;
}

static int find_bytes(const Dn__SocketBytes *m)
{
	for (size_t i = 0; i < DN_ARRAY_LEN(byte_options); i++)
		if ((uint32_t)byte_options[i].level == m->level && (uint32_t)byte_options[i].name == m->name)
			return (int)i;
	return -1;
}

static uint64_t get_timeout(int fd, int name)
{
	struct timeval t = {};
	socklen_t len = sizeof(t);

	getsockopt(fd, SOL_SOCKET, name, &t, &len);
	return (uint64_t)t.tv_sec * MICRO + (uint64_t)t.tv_usec;
}

static int capture_bytes(int fd, Dn__SocketOptions *m, struct dn_error *err)
{
	char value[BYTES_MAX];

	for (size_t i = 0; i < DN_ARRAY_LEN(byte_options); i++) {
		socklen_t len = get_bytes(fd, i, value);
		if (!len)
			continue;
		Dn__SocketBytes *o = dn_message_add(&m->bytes, &m->n_bytes, &dn__socket_bytes__descriptor);
		if (!o || dn_message_bytes(&o->value, value, len) < 0)
			return dn_error_set(err, -ENOMEM, "cannot list socket options");
		o->level = (uint32_t)byte_options[i].level;
		o->name = (uint32_t)byte_options[i].name;
	}
	return 0;
}

int dn_socket_options_capture(int fd, Dn__SocketOptions **ret, struct dn_error *err)
{
	Dn__SocketOptions *m = dn_message_new(&dn__socket_options__descriptor);
	bool stream = dn_socket_number(fd, SOL_SOCKET, SO_TYPE) == SOCK_STREAM;

	for (size_t i = 0; m && i < DN_ARRAY_LEN(options); i++) {
		int value;
		if ((options[i].datagrams && stream) || !get(fd, &options[i], &value))
			continue;
		Dn__SocketOption *o = dn_message_add(&m->numbers, &m->n_numbers, &dn__socket_option__descriptor);
		if (!o) {
			dn__socket_options__free_unpacked(m, NULL);
			m = NULL;
			break;
		}
		o->level = (uint32_t)options[i].level;
		o->name = (uint32_t)options[i].name;
		o->value = value;
	}
	if (!m)
		return dn_error_set(err, -ENOMEM, "cannot list socket options");
	m->send_timeout_us = get_timeout(fd, SO_SNDTIMEO);
	m->receive_timeout_us = get_timeout(fd, SO_RCVTIMEO);
	*ret = m;
	return capture_bytes(fd, m, err);
}

int dn_socket_options_check(const Dn__SocketOptions *m, struct dn_error *err)
{
	if (!m || m->send_timeout_us > INT64_MAX || m->receive_timeout_us > INT64_MAX)
		return dn_error_say(err, -EINVAL, "the image has a socket without options");
	for (size_t i = 0; i < m->n_numbers; i++)
		if (!find(m->numbers[i]))
			return dn_error_say(err, -EINVAL, "the image has a socket option %u:%u, which is not known",
					    m->numbers[i]->level, m->numbers[i]->name);
	for (size_t i = 0; i < m->n_bytes; i++)
		if (find_bytes(m->bytes[i]) < 0 || m->bytes[i]->value.len > BYTES_MAX)
			return dn_error_say(err, -EINVAL, "the image has a socket option %u:%u, which is not known",
					    m->bytes[i]->level, m->bytes[i]->name);
	return 0;
}

static int set_bytes(int fd, const Dn__SocketBytes *m, struct dn_error *err)
{
	char now[BYTES_MAX], wanted[BYTES_MAX] = "";
	size_t i = (size_t)find_bytes(m);

	memcpy(wanted, m->value.data, m->value.len);
	get_bytes(fd, i, now);
	if (memcmp(now, wanted, sizeof(now)) &&
	    setsockopt(fd, byte_options[i].level, byte_options[i].name, wanted, (socklen_t)m->value.len) < 0)
		return dn_error_set(err, -errno, "cannot set option %u:%u of a socket", m->level, m->name);
	return 0;
}

static int set_number(int fd, const struct option *o, int value, struct dn_error *err)
{
	int now, half = value / 2, *set = o->doubled ? &half : &value;

	if (get(fd, o, &now) && now == value)
		return 0;
	if (o->force && setsockopt(fd, o->level, o->force, set, sizeof(*set)) == 0)
		return 0;
	int code = setsockopt(fd, o->level, o->name, set, sizeof(*set)) < 0 ? -errno : 0;
	/* bind() has decided about it, and of a connection it says nothing. */
	if (code == -EINVAL && o->level == IPPROTO_IPV6 && o->name == IPV6_V6ONLY)
		return 0;
	if (code < 0)
		return dn_error_set(err, code, "cannot set option %d:%d of a socket to %d", o->level, o->name, value);
	return 0;
}

int dn_socket_options_room(int fd, const Dn__SocketOptions *m, struct dn_error *err)
{
	int r = 0;

	for (size_t i = 0; i < m->n_numbers && r == 0; i++)
		if (m->numbers[i]->level == SOL_SOCKET &&
		    (m->numbers[i]->name == SO_SNDBUF || m->numbers[i]->name == SO_RCVBUF))
			r = set_number(fd, find(m->numbers[i]), m->numbers[i]->value, err);
	return r;
}

static int set_timeout(int fd, int name, uint64_t us, struct dn_error *err)
{
	struct timeval t = { .tv_sec = (time_t)(us / MICRO), .tv_usec = (suseconds_t)(us % MICRO) };

	if (us && setsockopt(fd, SOL_SOCKET, name, &t, sizeof(t)) < 0)
		return dn_error_set(err, -errno, "cannot set the timeout of a socket");
	return 0;
}

int dn_socket_options_restore(int fd, const Dn__SocketOptions *m, struct dn_error *err)
{
	int r = 0;

	for (size_t i = 0; i < m->n_numbers && r == 0; i++)
		r = set_number(fd, find(m->numbers[i]), m->numbers[i]->value, err);
	for (size_t i = 0; i < m->n_bytes && r == 0; i++)
		r = set_bytes(fd, m->bytes[i], err);
	if (r == 0)
		r = set_timeout(fd, SO_SNDTIMEO, m->send_timeout_us, err);
	return r < 0 ? r : set_timeout(fd, SO_RCVTIMEO, m->receive_timeout_us, err);
}
