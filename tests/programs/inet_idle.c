/* SPDX-License-Identifier: BSD-3-Clause */
/* inet_idle.c - TCP and UDP sockets without connections: listening, bound, connected to an address, shared ports,
 * options */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "victim.h"

struct place {
	struct sockaddr_in6 a; /* or sockaddr_in */
	socklen_t len;
};

static struct place loopback(int family)
{
	struct place p = { 0 };

	if (family == AF_INET) {
		*(struct sockaddr_in *)&p.a =
			(struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
		p.len = sizeof(struct sockaddr_in);
	} else {
		p.a = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
		p.len = sizeof(p.a);
	}
	return p;
}

static int set(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value));
}

static int get(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	return getsockopt(fd, level, name, &value, &len) == 0 ? value : -1;
}

/* Bound to a port that the kernel chooses; *p becomes the place. */
static int bound(int family, int type, struct place *p)
{
	int fd = must(socket(family, type, 0));

	*p = loopback(family);
	must(bind(fd, (struct sockaddr *)&p->a, p->len));
	must(getsockname(fd, (struct sockaddr *)&p->a, &p->len));
	return fd;
}

static void expect_at(const char *what, int (*ask)(int, struct sockaddr *, socklen_t *), int fd, const struct place *p)
{
	struct place now = { .len = sizeof(now.a) };

	check(ask(fd, (struct sockaddr *)&now.a, &now.len) == 0 && now.len == p->len && !memcmp(&now.a, &p->a, now.len),
	      "%s is at port %u, not %u", what, ntohs(now.a.sin6_port), ntohs(p->a.sin6_port));
}

static int own(int fd, struct sockaddr *a, socklen_t *len)
{
	return getsockname(fd, a, len);
}

static int peer(int fd, struct sockaddr *a, socklen_t *len)
{
	return getpeername(fd, a, len);
}

/* A connection through a listener. */
static void expect_service(const char *what, int listener, const struct place *p)
{
	int client = must(socket(p->a.sin6_family, SOCK_STREAM, 0)), server;
	char byte = 0;

	check(connect(client, (const struct sockaddr *)&p->a, p->len) == 0, "%s: connect: %s", what, strerror(errno));
	server = must(accept(listener, NULL, NULL));
	must(send(client, "x", 1, 0));
	check(recv(server, &byte, 1, 0) == 1 && byte == 'x', "%s: nothing came", what);
	close(client);
	close(server);
}

int main(void)
{
	struct place four, six, box, shared, box6;
	bool has_six = true;
	int listener = bound(AF_INET, SOCK_STREAM, &four), first = must(socket(AF_INET, SOCK_STREAM, 0)),
	    second = must(socket(AF_INET, SOCK_STREAM, 0)),
	    fresh = must(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)), udp = bound(AF_INET, SOCK_DGRAM, &box),
	    writer = must(socket(AF_INET, SOCK_DGRAM, 0)), listener6 = -1, udp6 = -1;
	struct linger linger = { 1, 9 };
	struct tcp_info info = { 0 };
	struct place writer_at = { .len = sizeof(writer_at.a) };
	socklen_t len = sizeof(info);
	char data[16];

	must(listen(listener, 17));
	must(set(listener, IPPROTO_TCP, TCP_NODELAY, 1));
	must(set(listener, IPPROTO_TCP, TCP_KEEPIDLE, 123));
	must(set(listener, SOL_SOCKET, SO_KEEPALIVE, 1));
	must(set(listener, IPPROTO_IP, IP_TOS, 0x10));
	must(set(listener, SOL_SOCKET, SO_RCVBUF, 40000));
	must(setsockopt(listener, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	must(setsockopt(fresh, IPPROTO_TCP, TCP_CONGESTION, "reno", 4));
	/* Two listeners at one port. */
	must(set(first, SOL_SOCKET, SO_REUSEPORT, 1));
	must(set(second, SOL_SOCKET, SO_REUSEPORT, 1));
	shared = loopback(AF_INET);
	must(bind(first, (struct sockaddr *)&shared.a, shared.len));
	must(getsockname(first, (struct sockaddr *)&shared.a, &shared.len));
	must(bind(second, (struct sockaddr *)&shared.a, shared.len));
	must(listen(first, 1));
	must(listen(second, 1));
	must(connect(writer, (struct sockaddr *)&box.a, box.len));
	must(getsockname(writer, (struct sockaddr *)&writer_at.a, &writer_at.len));
	must(set(udp, SOL_SOCKET, SO_BROADCAST, 1));
	if (access("/proc/net/if_inet6", F_OK) < 0)
		has_six = false;
	if (has_six) {
		listener6 = bound(AF_INET6, SOCK_STREAM, &six);
		must(set(listener6, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 7));
		must(listen(listener6, 3));
		udp6 = must(socket(AF_INET6, SOCK_DGRAM, 0));
		must(set(udp6, IPPROTO_IPV6, IPV6_V6ONLY, 1));
		box6 = loopback(AF_INET6);
		must(bind(udp6, (struct sockaddr *)&box6.a, box6.len));
		must(getsockname(udp6, (struct sockaddr *)&box6.a, &box6.len));
	}
	victim_ready();
	victim_wait();

	expect_at("listener", own, listener, &four);
	check(getsockopt(listener, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 && info.tcpi_sacked == 17,
	      "the backlog is %u, not 17", info.tcpi_sacked);
	check(get(listener, IPPROTO_TCP, TCP_NODELAY) == 1 && get(listener, IPPROTO_TCP, TCP_KEEPIDLE) == 123 &&
		      get(listener, SOL_SOCKET, SO_KEEPALIVE) == 1 && get(listener, IPPROTO_IP, IP_TOS) == 0x10 &&
		      get(listener, SOL_SOCKET, SO_RCVBUF) == 80000 && get(listener, SOL_SOCKET, SO_REUSEADDR) == 0,
	      "options of the listener");
	len = sizeof(linger);
	linger.l_linger = 0;
	check(getsockopt(listener, SOL_SOCKET, SO_LINGER, &linger, &len) == 0 && linger.l_onoff && linger.l_linger == 9,
	      "SO_LINGER");
	expect_service("listener", listener, &four);
	len = sizeof(data);
	check(getsockopt(fresh, IPPROTO_TCP, TCP_CONGESTION, data, &len) == 0 && !strcmp(data, "reno"),
	      "congestion control");
	check(connect(fresh, (struct sockaddr *)&four.a, four.len) == 0 || errno == EINPROGRESS, "fresh: %s",
	      strerror(errno));
	expect_at("first", own, first, &shared);
	expect_at("second", own, second, &shared);
	expect_at("udp", own, udp, &box);
	expect_at("writer", own, writer, &writer_at);
	expect_at("writer's peer", peer, writer, &box);
	must(send(writer, "letter", 6, 0));
	check(recv(udp, data, sizeof(data), 0) == 6 && !memcmp(data, "letter", 6), "the letter did not come");
	check(get(udp, SOL_SOCKET, SO_BROADCAST) == 1, "SO_BROADCAST");
	if (has_six) {
		expect_at("listener6", own, listener6, &six);
		expect_service("listener6", listener6, &six);
		check(get(listener6, IPPROTO_IPV6, IPV6_UNICAST_HOPS) == 7 && get(udp6, IPPROTO_IPV6, IPV6_V6ONLY) == 1,
		      "options of IPv6");
		expect_at("udp6", own, udp6, &box6);
	}
	return victim_end();
}
