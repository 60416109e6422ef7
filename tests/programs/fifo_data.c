/* SPDX-License-Identifier: BSD-3-Clause */
/* fifo_data.c - FIFOs with data: both ends in one process, opened read-write, ends in two processes, one end */
#include "state.h"

static char *between;

static void work(void *unused)
{
	int writer = open(between, O_WRONLY);

	NEED(writer >= 0 && write(writer, "first", 5) == 5);
	victim_wait();
	NEED(write(writer, "second", 6) == 6);
	close(writer);
}

int main(void)
{
	char *one = in_dir("one"), *both = in_dir("both"), *unread = in_dir("unread"), text[16];
	int reader, writer, read_write, from_child, late, lonely;
	pid_t pid;

	between = in_dir("between");
	NEED(mkfifo(one, 0644) == 0 && mkfifo(both, 0644) == 0 && mkfifo(between, 0644) == 0);
	reader = open(one, O_RDONLY | O_NONBLOCK);
	writer = open(one, O_WRONLY);
	read_write = open(both, O_RDWR | O_CLOEXEC);
	NEED(reader >= 0 && writer >= 0 && read_write >= 0);
	NEED(write(writer, "hello", 5) == 5 && write(read_write, "itself", 6) == 6);
	/* Nobody has its other end; a page is all the room. */
	NEED(mkfifo(unread, 0644) == 0);
	lonely = open(unread, O_RDWR | O_NONBLOCK);
	NEED(lonely >= 0 && fcntl(lonely, F_SETPIPE_SZ, PAGE) == (int)PAGE && write(lonely, "unread", 6) == 6);
	late = open(unread, O_WRONLY | O_NONBLOCK);
	NEED(late >= 0 && close(lonely) == 0);
	lonely = late;
	pid = victim_fork(work, NULL);
	from_child = open(between, O_RDONLY);
	NEED(from_child >= 0 && read(from_child, text, 2) == 2);

	hold();

	NEED(fcntl(reader, F_GETFL) & O_NONBLOCK && !(fcntl(writer, F_GETFL) & O_NONBLOCK));
	NEED(read(reader, text, sizeof(text)) == 5 && !memcmp(text, "hello", 5));
	NEED(read(reader, text, sizeof(text)) == -1 && errno == EAGAIN);
	NEED(read(read_write, text, sizeof(text)) == 6 && !memcmp(text, "itself", 6));
	NEED(fcntl(read_write, F_GETFD) == FD_CLOEXEC);
	NEED(read(from_child, text, 3) == 3 && !memcmp(text, "rst", 3));
	NEED(read(from_child, text, sizeof(text)) == 6 && !memcmp(text, "second", 6));
	NEED(read(from_child, text, sizeof(text)) == 0);
	/* It is the FIFO of that name: others who open it meet these ends. */
	late = open(one, O_WRONLY | O_NONBLOCK);
	NEED(late >= 0 && write(late, "late", 4) == 4 && read(reader, text, sizeof(text)) == 4);
	NEED(fcntl(lonely, F_GETPIPE_SZ) == (int)PAGE);
	late = open(unread, O_RDONLY | O_NONBLOCK);
	NEED(late >= 0 && read(late, text, sizeof(text)) == 6 && !memcmp(text, "unread", 6));
	victim_join(pid);
	return victim_end();
}
