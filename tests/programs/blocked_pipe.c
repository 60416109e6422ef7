/* SPDX-License-Identifier: BSD-3-Clause */
/* blocked_pipe.c - reading an empty pipe, writing a full one, opening a FIFO that nobody writes */
#include "blocked.h"

#define BULK 200000

static int empty[2], full[2], half[2];
static char fifo[1024];

static void run_read(struct blocked *b)
{
	char buf[16] = "";
	ssize_t n = read(empty[0], buf, sizeof(buf));

	check(n == 5 && memcmp(buf, "hello", 5) == 0, "read: got %zd (%s)", n, strerror(errno));
}

/* More than a pipe holds: blocked in the middle. */
static void run_write(struct blocked *b)
{
	static char data[BULK];
	ssize_t n;

	for (int i = 0; i < BULK; i++)
		data[i] = (char)(i % 251);
	n = write(full[1], data, BULK);
	check(n == BULK || (n > 0 && n < BULK), "write: got %zd (%s)", n, strerror(errno));
	/* A partial write is a legal answer of a pipe; the rest follows. */
	while (n >= 0 && n < BULK) {
		ssize_t more = write(full[1], data + n, (size_t)(BULK - n));

		check(more > 0, "write: got %zd (%s)", more, strerror(errno));
		if (more <= 0)
			break;
		n += more;
	}
	close(full[1]);
}

/* Waits for more than is there: some data is in the pipe. */
static void run_readv(struct blocked *b)
{
	char buf[6] = "";
	size_t have = 0;

	while (have < sizeof(buf)) {
		ssize_t n = read(half[0], buf + have, sizeof(buf) - have);

		check(n > 0, "read: got %zd (%s)", n, strerror(errno));
		if (n <= 0)
			return;
		have += (size_t)n;
	}
	check(memcmp(buf, "abcdef", 6) == 0, "read: got %.6s", buf);
}

static void run_open(struct blocked *b)
{
	int fd = open(fifo, O_RDONLY | O_CLOEXEC);
	char c = 0;

	check(fd >= 0, "opening the FIFO: %s", strerror(errno));
	check(read(fd, &c, 1) == 1 && c == 'f', "reading the FIFO: %c (%s)", c, strerror(errno));
	close(fd);
}

static struct blocked all[] = {
	{ "read", SYS_read, run_read },
	{ "write", SYS_write, run_write },
	{ "read half", SYS_read, run_readv },
	{ "open", SYS_openat, run_open },
};

int main(void)
{
	char buf[4096];
	long sum = 0;
	ssize_t n;
	int fd;

	snprintf(fifo, sizeof(fifo), "%s", victim_path("my-fifo"));
	must(mkfifo(fifo, 0600));
	must(pipe(empty));
	must(pipe(full));
	must(pipe(half));
	must(write(half[1], "abc", 3));
	blocked_start(all, COUNT(all));
	victim_ready();
	victim_wait();
	must(write(empty[1], "hello", 5));
	must(write(half[1], "def", 3));
	fd = must(open(fifo, O_WRONLY | O_CLOEXEC));
	must(write(fd, "f", 1));
	close(fd);
	while ((n = read(full[0], buf, sizeof(buf))) > 0)
		for (ssize_t i = 0; i < n; i++, sum++)
			if (buf[i] != (char)(sum % 251)) {
				check(false, "byte %ld of the pipe is wrong", sum);
				return victim_end();
			}
	check(sum == BULK, "through the full pipe: expected %d bytes, got %ld", BULK, sum);
	blocked_join(all, COUNT(all));
	return victim_end();
}
