/* SPDX-License-Identifier: BSD-3-Clause */
/* pipe_blocked.c - a writer blocked in a full pipe and a reader blocked in an empty one go on */
#include "state.h"

#define SIZE MIB

static int full[2], empty[2];

static void writer(void *unused)
{
	uint64_t *data = malloc(SIZE);

	close(full[0]);
	fill(data, SIZE, 1);
	/* Only 64 KiB fit.  A write that is interrupted when it has moved a part says so: the rest follows. */
	for (size_t done = 0; done < SIZE;) {
		ssize_t n = write(full[1], (char *)data + done, SIZE - done);
		NEED(n > 0);
		done += (size_t)n;
	}
}

static void reader(void *unused)
{
	char text[16];

	close(empty[1]);
	NEED(read(empty[0], text, sizeof(text)) == 5 && !memcmp(text, "hello", 5));
	NEED(read(empty[0], text, sizeof(text)) == 0);
}

int main(void)
{
	uint64_t *data = malloc(SIZE);
	size_t got = 0;
	pid_t children[2];
	ssize_t n;

	NEED(pipe(full) == 0 && pipe(empty) == 0);
	children[0] = victim_fork(writer, NULL);
	children[1] = victim_fork(reader, NULL);
	close(full[1]);
	close(empty[0]);
	victim_await_syscall(children[0], children[0], SYS_write);
	victim_await_syscall(children[1], children[1], SYS_read);

	hold();

	while ((n = read(full[0], (char *)data + got, SIZE - got)) > 0)
		got += (size_t)n;
	NEED(got == SIZE && filled(data, SIZE, 1));
	NEED(write(empty[1], "hello", 5) == 5);
	close(empty[1]);
	victim_join(children[0]);
	victim_join(children[1]);
	return victim_end();
}
