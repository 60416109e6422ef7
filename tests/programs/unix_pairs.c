/* SPDX-License-Identifier: BSD-3-Clause */
/* unix_pairs.c - pairs of unix sockets: data and borders both ways, half closed, other end closed, shared by fork,
 * blocked */
#include <sys/socket.h>
#include <sys/un.h>

#include "blocked.h"

struct pair {
	int a, b;
};

static struct pair make(int type)
{
	int fds[2];

	must(socketpair(AF_UNIX, type, 0, fds));
	return (struct pair){ fds[0], fds[1] };
}

static void put(int fd, const char *text)
{
	must(send(fd, text, strlen(text), MSG_NOSIGNAL));
}

/* The next message, or what a stream has. */
static void expect(const char *what, int fd, const char *text)
{
	char got[256];
	ssize_t n = recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT);

	got[n < 0 ? 0 : n] = '\0';
	check(n == (ssize_t)strlen(text) && !strcmp(got, text), "%s: got %zd '%s' (%s), not '%s'", what, n, got,
	      n < 0 ? strerror(errno) : "", text);
}

static void expect_nothing(const char *what, int fd)
{
	char c;

	check(recv(fd, &c, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN, "%s: there is more", what);
}

static void expect_end(const char *what, int fd)
{
	char c;

	check(recv(fd, &c, 1, MSG_DONTWAIT) == 0, "%s: there is no end (%s)", what, strerror(errno));
}

static struct pair family, hungry, stuffed;

static void child(void *arg)
{
	close(family.a);
	put(family.b, "from child");
	victim_here();
	victim_wait();
	expect("child", family.b, "from parent");
	put(family.b, "and back");
}

static void run_read(struct blocked *b)
{
	char c = 0;

	check(read(hungry.a, &c, 1) == 1 && c == 'x', "blocked reader: %d (%s)", c, strerror(errno));
}

static size_t stuffing;

static struct blocked all[] = { { "read", SYS_read, run_read } };

static void stuff(int fd)
{
	char block[1000];

	memset(block, 's', sizeof(block));
	for (ssize_t n; (n = send(fd, block, sizeof(block), MSG_DONTWAIT)) > 0;)
		stuffing += (size_t)n;
}

static void unstuff(int fd)
{
	char buffer[4096];
	size_t sum = 0;

	while (sum < stuffing) {
		ssize_t n = recv(fd, buffer, sizeof(buffer), 0);
		if (n <= 0 || buffer[0] != 's')
			break;
		sum += (size_t)n;
	}
	check(sum == stuffing, "%zu of %zu bytes were there", sum, stuffing);
}

static void check_options(int fd, int number)
{
	struct timeval t = { 0 };
	struct ucred u = { 0 };
	socklen_t len = sizeof(number);
	int value = 0;

	check(getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &value, &len) == 0 && value == number, "SO_SNDBUF is %d, not %d",
	      value, number);
	check(getsockopt(fd, SOL_SOCKET, SO_PASSCRED, &value, &len) == 0 && value == 1, "SO_PASSCRED");
	len = sizeof(t);
	check(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, &len) == 0 && t.tv_sec == 7, "SO_RCVTIMEO");
	len = sizeof(u);
	check(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &u, &len) == 0 && u.pid == getpid() && u.uid == geteuid() &&
		      u.gid == getegid(),
	      "SO_PEERCRED is %d %d %d", u.pid, u.uid, u.gid);
}

int main(void)
{
	struct pair stream = make(SOCK_STREAM), packets = make(SOCK_SEQPACKET), datagrams = make(SOCK_DGRAM),
		    half = make(SOCK_STREAM), gone = make(SOCK_STREAM | SOCK_NONBLOCK),
		    own = make(SOCK_STREAM | SOCK_CLOEXEC), deaf = make(SOCK_STREAM);
	int alone = must(socket(AF_UNIX, SOCK_STREAM, 0)), size = 50000, one = 1;
	struct timeval seven = { 7, 0 };
	struct sockaddr_un nowhere = { AF_UNIX, "/nonexistent/socket" };
	socklen_t len = sizeof(size);
	pid_t pid;

	put(stream.a, "one");
	put(stream.a, "two");
	put(stream.b, "three");
	put(packets.a, "first");
	put(packets.a, "second message");
	put(datagrams.a, "1");
	put(datagrams.a, "");
	put(datagrams.a, "three");
	put(datagrams.b, "other way");
	put(half.a, "last words");
	must(shutdown(half.a, SHUT_WR));
	put(half.b, "answer");
	put(gone.b, "testament");
	close(gone.b);
	must(shutdown(deaf.b, SHUT_RD));
	must(setsockopt(own.a, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)));
	must(setsockopt(own.a, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)));
	must(setsockopt(own.a, SOL_SOCKET, SO_RCVTIMEO, &seven, sizeof(seven)));
	must(getsockopt(own.a, SOL_SOCKET, SO_SNDBUF, &size, &len));
	family = make(SOCK_STREAM);
	hungry = make(SOCK_STREAM);
	stuffed = make(SOCK_STREAM);
	stuff(stuffed.a);
	victim_gate();
	pid = victim_fork(child, NULL);
	close(family.b);
	victim_all_here(1);
	put(family.a, "from parent");
	blocked_start(all, COUNT(all));
	victim_ready();
	victim_wait();

	expect("stream", stream.b, "onetwo");
	expect("stream, other way", stream.a, "three");
	expect("packets", packets.b, "first");
	expect("packets", packets.b, "second message");
	expect_nothing("packets", packets.b);
	expect("datagrams", datagrams.b, "1");
	expect("datagrams", datagrams.b, "");
	expect("datagrams", datagrams.b, "three");
	expect_nothing("datagrams", datagrams.b);
	expect("datagrams, other way", datagrams.a, "other way");
	expect("half", half.b, "last words");
	expect_end("half", half.b);
	check(send(half.a, "x", 1, MSG_NOSIGNAL) == -1 && errno == EPIPE, "half: it can send");
	expect("half, other way", half.a, "answer");
	put(half.b, "more");
	expect("half, later", half.a, "more");
	expect("gone", gone.a, "testament");
	expect_end("gone", gone.a);
	check(send(gone.a, "x", 1, MSG_NOSIGNAL) == -1 && errno == EPIPE, "gone: it can send");
	check(fcntl(gone.a, F_GETFL) & O_NONBLOCK && !(fcntl(own.a, F_GETFL) & O_NONBLOCK), "O_NONBLOCK");
	check(fcntl(own.a, F_GETFD) == FD_CLOEXEC && fcntl(gone.a, F_GETFD) == 0, "close-on-exec");
	check(send(deaf.a, "x", 1, MSG_NOSIGNAL) == -1 && errno == EPIPE, "deaf: it hears");
	check_options(own.a, size);
	check(connect(alone, (struct sockaddr *)&nowhere, sizeof(nowhere)) == -1 && errno == ENOENT, "alone: %s",
	      strerror(errno));
	put(hungry.b, "x");
	unstuff(stuffed.b);
	put(stuffed.a, "last");
	expect("stuffed", stuffed.b, "last");
	blocked_join(all, COUNT(all));
	victim_join(pid);
	expect("from child", family.a, "from childand back");
	expect_end("from child", family.a);
	return victim_end();
}
