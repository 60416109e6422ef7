/* SPDX-License-Identifier: BSD-3-Clause */
/* unix_credentials.c - who sent what waits in a unix socket, and who is at its other end: a child with another user */
#include <sys/socket.h>
#include <sys/un.h>

#include "victim.h"

static int ends[2];
static bool root;

/* Receives one message and who sent it. */
static void expect(const char *text, const struct ucred *sender)
{
	union {
		char room[CMSG_SPACE(sizeof(struct ucred))];
		struct cmsghdr align;
	} control;
	char got[64];
	struct iovec iov = { got, sizeof(got) };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	struct ucred u = { 0 };
	ssize_t n = recvmsg(ends[0], &m, MSG_DONTWAIT);

	check(n == (ssize_t)strlen(text) && !memcmp(got, text, (size_t)n), "got %zd bytes, not '%s'", n, text);
	for (struct cmsghdr *c = n < 0 ? NULL : CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS)
			memcpy(&u, CMSG_DATA(c), sizeof(u));
	check(u.pid == sender->pid && u.uid == sender->uid && u.gid == sender->gid, "'%s' is of %d %d %d, not %d %d %d",
	      text, u.pid, u.uid, u.gid, sender->pid, sender->uid, sender->gid);
}

static void child(void *arg)
{
	must(send(ends[1], "root", 4, 0));
	if (root) {
		must(setresgid(77, 77, 0));
		must(setresuid(66, 66, 0));
	}
	must(send(ends[1], "child", 5, 0));
	victim_here();
	victim_wait();
	must(send(ends[1], "again", 5, 0));
}

int main(void)
{
	int one = 1, pair[2];
	struct ucred own = { getpid(), geteuid(), getegid() }, u = { 0 };
	socklen_t len = sizeof(u);
	pid_t pid;

	root = own.uid == 0 && setresgid(-1, 78, 0) == 0 && setresuid(-1, 67, 0) == 0;
	/* A pair that notes another user than the one that the program has later. */
	must(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair));
	must(getsockopt(pair[0], SOL_SOCKET, SO_PEERCRED, &own, &len));
	if (root) {
		must(setresuid(-1, 0, 0));
		must(setresgid(-1, 0, 0));
	}
	must(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends));
	must(setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)));
	victim_gate();
	pid = victim_fork(child, NULL);
	victim_all_here(1);
	victim_ready();
	victim_wait();
	victim_join(pid);
	len = sizeof(u);
	check(getsockopt(pair[1], SOL_SOCKET, SO_PEERCRED, &u, &len) == 0 && !memcmp(&u, &own, sizeof(u)),
	      "SO_PEERCRED is %d %d %d, not %d %d %d", u.pid, u.uid, u.gid, own.pid, own.uid, own.gid);
	struct ucred sender = { pid, geteuid(), getegid() };
	expect("root", &sender);
	if (root)
		sender = (struct ucred){ pid, 66, 77 };
	expect("child", &sender);
	expect("again", &sender);
	return victim_end();
}
