/* SPDX-License-Identifier: BSD-3-Clause */
/* pipe_closed.c - pipes with one end left: EPIPE without a reader; data, then the end, without a writer */
#include "state.h"

static volatile sig_atomic_t signals;

static void handler(int number)
{
	signals++;
}

static int inherited[2];

static void work(void *unused)
{
	char text[16];

	close(inherited[1]);
	victim_wait();
	NEED(read(inherited[0], text, sizeof(text)) == 4 && !memcmp(text, "last", 4));
	NEED(read(inherited[0], text, sizeof(text)) == 0);
}

int main(void)
{
	int no_reader[2], no_writer[2], nothing[2];
	char text[16], path[64];
	pid_t pid;

	NEED(pipe(no_reader) == 0 && pipe(no_writer) == 0 && pipe(nothing) == 0 && pipe(inherited) == 0);
	NEED(signal(SIGPIPE, handler) != SIG_ERR);
	NEED(write(no_writer[1], "data", 4) == 4 && write(no_reader[1], "lost", 4) == 4);
	NEED(write(inherited[1], "last", 4) == 4);
	close(no_reader[0]);
	close(no_writer[1]);
	close(nothing[1]);
	/* The child alone has an end of this one. */
	pid = victim_fork(work, NULL);
	close(inherited[0]);
	close(inherited[1]);

	hold();

	NEED(signals == 0);
	NEED(write(no_reader[1], "x", 1) == -1 && errno == EPIPE && signals == 1);
	/* What nobody reads is there for who comes. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", no_reader[1]);
	no_reader[0] = open(path, O_RDONLY | O_NONBLOCK);
	NEED(no_reader[0] >= 0 && read(no_reader[0], text, sizeof(text)) == 4 && !memcmp(text, "lost", 4));
	NEED(read(no_writer[0], text, sizeof(text)) == 4 && !memcmp(text, "data", 4));
	NEED(read(no_writer[0], text, sizeof(text)) == 0);
	NEED(read(nothing[0], text, sizeof(text)) == 0);
	victim_join(pid);
	return victim_end();
}
