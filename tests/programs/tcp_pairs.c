/* SPDX-License-Identifier: BSD-3-Clause */
/* tcp_pairs.c - connections of TCP between processes of the program: data both ways, half closed, full, watched, IPv6
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "blocked.h"

struct link {
	int listener, client, server;
	struct sockaddr_in6 at;
	socklen_t len;
};

static struct link made(int family)
{
	struct link l = { .len = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6) };

	if (family == AF_INET)
		*(struct sockaddr_in *)&l.at =
			(struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	else
		l.at = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	l.listener = must(socket(family, SOCK_STREAM, 0));
	must(bind(l.listener, (struct sockaddr *)&l.at, l.len));
	must(getsockname(l.listener, (struct sockaddr *)&l.at, &l.len));
	must(listen(l.listener, 4));
	l.client = must(socket(family, SOCK_STREAM, 0));
	must(connect(l.client, (struct sockaddr *)&l.at, l.len));
	l.server = must(accept(l.listener, NULL, NULL));
	return l;
}

static void put(int fd, const char *text)
{
	must(send(fd, text, strlen(text), MSG_NOSIGNAL));
}

/* Exactly that much comes. */
static void expect(const char *what, int fd, const char *text)
{
	char got[256] = "";
	ssize_t n = recv(fd, got, strlen(text), MSG_WAITALL);

	check(n == (ssize_t)strlen(text) && !strcmp(got, text), "%s: got %zd '%s' (%s), not '%s'", what, n, got,
	      strerror(errno), text);
}

static void expect_end(const char *what, int fd)
{
	char c;

	check(recv(fd, &c, 1, 0) == 0, "%s: there is no end (%s)", what, strerror(errno));
}

static void expect_ports(const char *what, int a, int b)
{
	struct sockaddr_in6 own = { 0 }, far = { 0 };
	socklen_t len = sizeof(own), far_len = sizeof(far);

	check(getsockname(a, (struct sockaddr *)&own, &len) == 0 &&
		      getpeername(b, (struct sockaddr *)&far, &far_len) == 0 && len == far_len &&
		      !memcmp(&own, &far, len),
	      "%s: the two ends do not agree", what);
}

static struct link family_link, hungry;
static in_port_t client_port;

static void child(void *arg)
{
	close(family_link.server);
	put(family_link.client, "from child");
	victim_here();
	victim_wait();
	expect("child", family_link.client, "from parent");
	put(family_link.client, ", and back");
}

static void run_read(struct blocked *b)
{
	char c = 0;

	check(read(hungry.server, &c, 1) == 1 && c == 'x', "blocked reader: %d (%s)", c, strerror(errno));
}

static struct blocked all[] = { { "read", SYS_read, run_read } };

/* Sends numbers until there is no room; only who may use TCP_REPAIR can have what was not received captured. */
static uint32_t stuff(int fd)
{
	uint32_t sent = 0, block[256];
	int on = 1, off = -1;

	if (setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on)) < 0)
		return 0;
	must(setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &off, sizeof(off)));
	for (;;) {
		for (uint32_t i = 0; i < COUNT(block); i++)
			block[i] = sent + i;
		ssize_t n = send(fd, block, sizeof(block), MSG_DONTWAIT);
		if (n <= 0)
			break;
		sent += (uint32_t)n / 4;
		if (n % 4) { /* the rest of a number, when there is room for it */
			victim_fail(__FILE__, __LINE__, "%zd bytes", n);
			break;
		}
	}
	return sent;
}

static void unstuff(int fd, uint32_t sent)
{
	for (uint32_t i = 0, number; i < sent; i++) {
		if (recv(fd, &number, 4, MSG_WAITALL) == 4 && number == i)
			continue;
		check(false, "number %u of %u is %u", i, sent, number);
		return;
	}
}

int main(void)
{
	struct link plain = made(AF_INET), half = made(AF_INET), full = made(AF_INET), watched = made(AF_INET), six;
	bool has_six = access("/proc/net/if_inet6", F_OK) == 0;
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = 5 };
	int epoll = must(epoll_create1(0)), one = 1, value = 0, late;
	struct sockaddr_in6 a;
	socklen_t len = sizeof(a);
	uint32_t sent;
	pid_t pid;

	put(plain.client, "to server");
	put(plain.server, "to client");
	must(setsockopt(plain.client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)));
	must(getsockname(plain.client, (struct sockaddr *)&a, &len));
	client_port = a.sin6_port;
	put(half.client, "last words");
	must(shutdown(half.client, SHUT_WR));
	put(half.server, "answer");
	sent = stuff(full.client);
	must(epoll_ctl(epoll, EPOLL_CTL_ADD, watched.server, &event));
	if (has_six) {
		six = made(AF_INET6);
		put(six.client, "six");
	}
	family_link = made(AF_INET);
	hungry = made(AF_INET);
	victim_gate();
	pid = victim_fork(child, NULL);
	close(family_link.client);
	victim_all_here(1);
	put(family_link.server, "from parent");
	blocked_start(all, COUNT(all));
	victim_ready();
	victim_wait();

	expect("plain", plain.server, "to server");
	expect("plain, other way", plain.client, "to client");
	expect_ports("plain", plain.client, plain.server);
	expect_ports("plain, other way", plain.server, plain.client);
	len = sizeof(a);
	check(getsockname(plain.client, (struct sockaddr *)&a, &len) == 0 && a.sin6_port == client_port,
	      "the port is another");
	len = sizeof(value);
	check(getsockopt(plain.client, IPPROTO_TCP, TCP_NODELAY, &value, &len) == 0 && value == 1, "TCP_NODELAY");
	value = 1;
	check(getsockopt(plain.server, SOL_SOCKET, SO_REUSEADDR, &value, &len) == 0 && value == 0, "SO_REUSEADDR");
	put(plain.client, "more");
	expect("plain, later", plain.server, "more");
	expect("half", half.server, "last words");
	expect_end("half", half.server);
	expect("half, other way", half.client, "answer");
	put(half.server, "again");
	expect("half, later", half.client, "again");
	unstuff(full.server, sent);
	put(full.client, "tail");
	expect("full", full.server, "tail");
	check(epoll_wait(epoll, &event, 1, 0) == 0, "the watched one is ready");
	put(watched.client, "!");
	check(epoll_wait(epoll, &event, 1, 10000) == 1 && event.data.u32 == 5, "the watched one is not ready");
	if (has_six) {
		expect("six", six.server, "six");
		expect_ports("six", six.client, six.server);
	}
	put(hungry.client, "x");
	blocked_join(all, COUNT(all));
	victim_join(pid);
	expect("family", family_link.server, "from child, and back");
	expect_end("family", family_link.server);
	/* The listeners are there yet. */
	late = must(socket(AF_INET, SOCK_STREAM, 0));
	check(connect(late, (struct sockaddr *)&plain.at, plain.len) == 0, "connect: %s", strerror(errno));
	value = must(accept(plain.listener, NULL, NULL));
	put(late, "late");
	expect("late", value, "late");
	return victim_end();
}
