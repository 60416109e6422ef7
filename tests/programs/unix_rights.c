/* SPDX-License-Identifier: BSD-3-Clause */
/* unix_rights.c - descriptors on their way through unix sockets, sockets on their way within such, with data in them */
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "victim.h"

#define MAX 4

union control {
	char room[CMSG_SPACE(MAX * sizeof(int))];
	struct cmsghdr align;
};

static void pass(int socket, const char *text, int count, const int *fds)
{
	union control control = { .align = { .cmsg_len = CMSG_LEN((size_t)count * sizeof(int)),
					     .cmsg_level = SOL_SOCKET,
					     .cmsg_type = SCM_RIGHTS } };
	struct iovec iov = { (void *)text, strlen(text) };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = CMSG_SPACE((size_t)count * sizeof(int)) };

	memcpy(CMSG_DATA(&control.align), fds, (size_t)count * sizeof(int));
	must(sendmsg(socket, &m, 0));
}

/* Receives count descriptors with the text. */
static void take(int socket, const char *text, int count, int *fds)
{
	union control control;
	char got[64];
	struct iovec iov = { got, sizeof(got) };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	ssize_t n = recvmsg(socket, &m, MSG_DONTWAIT);
	struct cmsghdr *c = n < 0 ? NULL : CMSG_FIRSTHDR(&m);
	int came = c && c->cmsg_type == SCM_RIGHTS ? (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int)) : 0;

	check(n == (ssize_t)strlen(text) && !memcmp(got, text, (size_t)n), "got %zd bytes, not '%s' (%s)", n, text,
	      strerror(errno));
	check(came == count, "%d descriptors came with '%s', not %d", came, text, count);
	for (int i = 0; i < count; i++)
		fds[i] = -1;
	if (came == count && count)
		memcpy(fds, CMSG_DATA(c), (size_t)count * sizeof(int));
}

static void expect_data(const char *what, int fd, const char *text)
{
	char got[64] = "";
	ssize_t n = read(fd, got, sizeof(got) - 1);

	check(n == (ssize_t)strlen(text) && !strcmp(got, text), "%s: read %zd '%s', not '%s'", what, n, got, text);
}

int main(void)
{
	int stream[2], packets[2], pipes[2], inner[2], nested[2], fds[MAX], event, file, again[1];
	uint64_t count = 0;
	char byte;

	must(socketpair(AF_UNIX, SOCK_STREAM, 0, stream));
	must(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, packets));
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, inner));
	must(socketpair(AF_UNIX, SOCK_DGRAM, 0, nested));
	must(pipe(pipes));
	event = must(eventfd(11, EFD_NONBLOCK));
	file = must(open(victim_path("myfile"), O_RDWR | O_CREAT | O_TRUNC, 0600));
	must(write(file, "0123456789", 10));
	must(lseek(file, 4, SEEK_SET));
	must(write(pipes[1], "in the pipe", 11));

	/* A pipe's read end and a file that nobody else has any more; the eventfd is kept as well. */
	must(send(stream[0], "before", 6, 0));
	pass(stream[0], "three", 3, (int[]){ pipes[0], file, event });
	must(send(stream[0], "after", 5, 0));
	close(pipes[0]);
	close(file);
	/* A socket within a socket within a socket, all of which is only on its way. */
	pass(nested[0], "deep", 1, &event);
	pass(inner[0], "inner", 1, &nested[1]);
	close(nested[1]);
	pass(packets[0], "both", 2, (int[]){ inner[0], inner[1] });
	must(send(packets[0], "plain", 5, 0));
	close(inner[0]);
	close(inner[1]);
	victim_ready();
	victim_wait();

	/* In a stream what came before is glued to a message with descriptors, what comes after is not. */
	take(stream[1], "beforethree", 3, fds);
	expect_data("pipe", fds[0], "in the pipe");
	must(write(pipes[1], "more", 4));
	expect_data("pipe", fds[0], "more");
	expect_data("file", fds[1], "456789");
	must(write(fds[2], &(uint64_t){ 1 }, 8));
	check(read(event, &count, 8) == 8 && count == 12, "the eventfd is at %lu, not 12: not the same", count);
	take(stream[1], "after", 0, fds);
	take(packets[1], "both", 2, fds);
	take(packets[1], "plain", 0, again);
	take(fds[1], "inner", 1, again);
	must(send(fds[1], "x", 1, 0));
	check(recv(fds[0], &byte, 1, MSG_DONTWAIT) == 1 && byte == 'x', "the two ends are not connected");
	nested[1] = again[0];
	take(nested[1], "deep", 1, again);
	must(write(again[0], &(uint64_t){ 5 }, 8));
	check(read(event, &count, 8) == 8 && count == 5, "the eventfd from the depth is another");
	return victim_end();
}
