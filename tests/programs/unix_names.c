/* SPDX-License-Identifier: BSD-3-Clause */
/* unix_names.c - unix sockets with names: listeners, accepted connections, one that waits, datagrams, files that moved
 */
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "victim.h"

struct name {
	struct sockaddr_un a;
	socklen_t len;
};

static struct name path_name(const char *name)
{
	struct name n = { .a.sun_family = AF_UNIX, .len = sizeof(n.a) };

	snprintf(n.a.sun_path, sizeof(n.a.sun_path), "%s", name);
	return n;
}

/* Unique among concurrent runs; with a zero inside. */
static struct name abstract_name(const char *text)
{
	struct name n = { .a.sun_family = AF_UNIX };
	int len = snprintf(n.a.sun_path + 1, sizeof(n.a.sun_path) - 1, "dunlin %s %s%d", victim_path(text), text,
			   getpid());

	n.a.sun_path[1 + 6] = '\0';
	n.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len);
	return n;
}

static int bound(int type, const struct name *n)
{
	int fd = must(socket(AF_UNIX, type, 0));

	must(bind(fd, (const struct sockaddr *)&n->a, n->len));
	return fd;
}

static int listening(int type, const struct name *n, int backlog)
{
	int fd = bound(type, n);

	must(listen(fd, backlog));
	return fd;
}

static int connected(int type, const struct name *n)
{
	int fd = must(socket(AF_UNIX, type, 0));

	must(connect(fd, (const struct sockaddr *)&n->a, n->len));
	return fd;
}

static void expect(const char *what, int fd, const char *text)
{
	char got[64] = "";
	ssize_t n = recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT);

	check(n == (ssize_t)strlen(text) && !strcmp(got, text), "%s: got %zd '%s' (%s), not '%s'", what, n, got,
	      strerror(errno), text);
}

static void expect_name(const char *what, bool peer, int fd, const struct name *wanted)
{
	struct name got = { .len = sizeof(got.a) };
	const char *a = got.a.sun_path, *b = wanted->a.sun_path;
	size_t begin = offsetof(struct sockaddr_un, sun_path);

	check((peer ? getpeername : getsockname)(fd, (struct sockaddr *)&got.a, &got.len) == 0, "%s: no name: %s", what,
	      strerror(errno));
	check(wanted->len > begin && b[0] ? !strcmp(a, b) : got.len == wanted->len && !memcmp(a, b, got.len - begin),
	      "%s: the name is '%s%s', not '%s%s'", what, a[0] ? "" : "@", a + !a[0], b[0] ? "" : "@", b + !b[0]);
}

static void expect_own(const char *what, int fd, const struct name *wanted)
{
	expect_name(what, false, fd, wanted);
}

static void expect_peer(const char *what, int fd, const struct name *wanted)
{
	expect_name(what, true, fd, wanted);
}

/* A new connection, and a message through it. */
static void expect_service(const char *what, int listener, int type, const struct name *n)
{
	int client = connected(type, n), server = accept(listener, NULL, NULL);

	check(server >= 0, "%s: accept: %s", what, strerror(errno));
	must(send(client, "new", 3, 0));
	expect(what, server, "new");
	close(client);
	close(server);
}

static void expect_creds(const char *what, int fd, pid_t pid)
{
	struct ucred u = { 0 };
	socklen_t len = sizeof(u);

	check(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &u, &len) == 0 && u.pid == pid, "%s: peer is %d, not %d", what,
	      u.pid, pid);
}

static struct name at_path;
static int client;

/* Connects from another process; the parent's server is its peer. */
static void child(void *arg)
{
	client = connected(SOCK_STREAM, &at_path);
	must(send(client, "hello", 5, 0));
	victim_here();
	victim_wait();
	expect_peer("child", client, &at_path);
	expect_creds("child", client, getppid());
	expect("child", client, "welcome");
	must(send(client, " again", 6, 0));
}

/* Datagrams: from whom. */
static void expect_from(int fd, const char *text, const struct name *sender)
{
	struct name got = { .len = sizeof(got.a) };
	char data[64] = "";
	ssize_t n = recvfrom(fd, data, sizeof(data) - 1, MSG_DONTWAIT, (struct sockaddr *)&got.a, &got.len);

	check(n == (ssize_t)strlen(text) && !strcmp(data, text), "datagram: got %zd '%s', not '%s'", n, data, text);
	if (!sender)
		check(got.len <= sizeof(sa_family_t), "'%s' has a sender", text);
	else
		check(!memcmp(got.a.sun_path, sender->a.sun_path,
			      sender->a.sun_path[0] ? strlen(sender->a.sun_path) + 1
						    : sender->len - sizeof(sa_family_t)),
		      "'%s' is from '%s'", text, got.a.sun_path);
}

int main(void)
{
	struct name hidden = abstract_name("hidden"), mail = path_name(victim_path("mymail")),
		    letter = abstract_name("letter"), moved = path_name(victim_path("mymoved")),
		    gone = path_name(victim_path("mygone")), relative, away = path_name(victim_path("myaway")),
		    client_name = abstract_name("client"), automatic;
	int server, inner, inner_client, inner_server, box, sender, writer, waiter, named, moved_fd, gone_fd,
		relative_fd, auto_fd, packets, packet_client, packet_server, accepted_fd, orphan_client, temporary;
	struct stat st;
	pid_t pid;

	at_path = path_name(victim_path("mysocket"));
	server = listening(SOCK_STREAM, &at_path, 3);
	must(chmod(at_path.a.sun_path, 0640));
	victim_gate();
	pid = victim_fork(child, NULL);
	victim_all_here(1);
	accepted_fd = must(accept(server, NULL, NULL));
	must(send(accepted_fd, "welcome", 7, 0));
	waiter = connected(SOCK_STREAM, &at_path);
	inner = listening(SOCK_STREAM, &hidden, 5);
	named = bound(SOCK_STREAM, &client_name);
	must(connect(named, (struct sockaddr *)&hidden.a, hidden.len));
	inner_client = named;
	inner_server = must(accept(inner, NULL, NULL));
	must(send(inner_client, "from a name", 11, 0));
	/* A connection whose listener is gone. */
	temporary = listening(SOCK_STREAM, &away, 1);
	orphan_client = connected(SOCK_STREAM, &away);
	int orphan = must(accept(temporary, NULL, NULL));
	close(temporary);
	must(unlink(away.a.sun_path));
	packets = listening(SOCK_SEQPACKET, &letter, 1);
	packet_client = connected(SOCK_SEQPACKET, &letter);
	packet_server = must(accept(packets, NULL, NULL));
	must(send(packet_client, "p1", 2, 0));
	must(send(packet_client, "p2", 2, 0));
	/* Datagrams. */
	box = bound(SOCK_DGRAM, &mail);
	struct name sender_name = abstract_name("sender");
	sender = bound(SOCK_DGRAM, &sender_name);
	writer = connected(SOCK_DGRAM, &mail);
	must(sendto(sender, "with a name", 11, 0, (struct sockaddr *)&mail.a, mail.len));
	must(send(writer, "without", 7, 0));
	must(sendto(sender, "with it again", 13, 0, (struct sockaddr *)&mail.a, mail.len));
	/* Files that moved, are gone, have a name that depends on the folder. */
	moved_fd = listening(SOCK_STREAM, &moved, 1);
	must(rename(moved.a.sun_path, victim_path("myother")));
	gone_fd = listening(SOCK_STREAM, &gone, 1);
	must(unlink(gone.a.sun_path));
	if (victim_dir())
		must(chdir(victim_dir()));
	relative = path_name("myrelative");
	relative_fd = listening(SOCK_STREAM, &relative, 1);
	auto_fd = must(socket(AF_UNIX, SOCK_DGRAM, 0));
	must(bind(auto_fd, &(struct sockaddr){ .sa_family = AF_UNIX }, sizeof(sa_family_t)));
	automatic.len = sizeof(automatic.a);
	must(getsockname(auto_fd, (struct sockaddr *)&automatic.a, &automatic.len));
	victim_ready();
	victim_wait();

	expect_own("listener", server, &at_path);
	expect_own("accepted", accepted_fd, &at_path);
	check(stat(at_path.a.sun_path, &st) == 0 && S_ISSOCK(st.st_mode) && (st.st_mode & 0777) == 0640,
	      "the file's mode is %o", st.st_mode);
	expect_creds("accepted", accepted_fd, pid);
	victim_join(pid);
	expect("accepted", accepted_fd, "hello again");
	check(recv(accepted_fd, &(char){ 0 }, 1, 0) == 0, "accepted: no end");
	int late = must(accept(server, NULL, NULL));
	must(send(waiter, "waited", 6, 0));
	expect("waiter", late, "waited");
	expect_service("listener", server, SOCK_STREAM, &at_path);
	expect_own("named client", inner_client, &client_name);
	expect_peer("named client", inner_client, &hidden);
	expect_peer("its server", inner_server, &client_name);
	expect("its server", inner_server, "from a name");
	expect_service("abstract", inner, SOCK_STREAM, &hidden);
	expect_own("orphan", orphan, &away);
	expect_peer("orphan's client", orphan_client, &away);
	must(send(orphan, "still", 5, 0));
	expect("orphan's client", orphan_client, "still");
	check(access(away.a.sun_path, F_OK) == -1, "the file of the listener that is gone has come back");
	expect("packets", packet_server, "p1");
	expect("packets", packet_server, "p2");
	expect_service("packets", packets, SOCK_SEQPACKET, &letter);
	expect_from(box, "with a name", &sender_name);
	expect_from(box, "without", NULL);
	expect_from(box, "with it again", &sender_name);
	expect_peer("writer", writer, &mail);
	must(send(writer, "more", 4, 0));
	expect_from(box, "more", NULL);
	must(sendto(auto_fd, "x", 1, 0, (struct sockaddr *)&mail.a, mail.len));
	expect_from(box, "x", &automatic);
	expect_own("moved", moved_fd, &moved);
	struct name other = path_name(victim_path("myother"));
	expect_service("moved", moved_fd, SOCK_STREAM, &other);
	check(access(moved.a.sun_path, F_OK) == -1, "the moved file has come back");
	expect_own("gone", gone_fd, &gone);
	check(access(gone.a.sun_path, F_OK) == -1, "the removed file has come back");
	expect_service("relative", relative_fd, SOCK_STREAM, &relative);
	return victim_end();
}
