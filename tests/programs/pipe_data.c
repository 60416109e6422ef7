/* SPDX-License-Identifier: BSD-3-Clause */
/* pipe_data.c - pipes with data in them: empty, a few bytes, full, refilled, both ends in one process */
#include "state.h"

#define SIZE (64 * KIB)

int main(void)
{
	int empty[2], few[2], full[2], turned[2];
	uint64_t *data = malloc(SIZE), *back = malloc(SIZE);
	char byte;

	NEED(pipe(empty) == 0 && pipe(few) == 0 && pipe2(full, O_NONBLOCK) == 0 && pipe(turned) == 0);
	fill(data, SIZE, 1);
	NEED(write(few[1], "hello", 5) == 5 && write(few[1], " world", 6) == 6 && read(few[0], back, 2) == 2);
	NEED(write(full[1], data, SIZE) == (ssize_t)SIZE && write(full[1], "x", 1) == -1);
	/* Reading and writing by turns moves the start of the data around the ring. */
	for (int i = 0; i < 25; i++)
		NEED(write(turned[1], data, PAGE) == PAGE && (i % 3 == 0 || read(turned[0], back, PAGE) == PAGE));

	hold();

	NEED(fcntl(empty[0], F_SETFL, O_NONBLOCK) == 0 && read(empty[0], &byte, 1) == -1 && errno == EAGAIN);
	NEED(read(few[0], back, 100) == 9 && !memcmp(back, "llo world", 9));
	NEED(write(full[1], "x", 1) == -1 && errno == EAGAIN);
	NEED(read(full[0], back, SIZE) == (ssize_t)SIZE && filled(back, SIZE, 1));
	NEED(read(full[0], back, 1) == -1 && errno == EAGAIN);
	for (int i = 0; i < 9; i++)
		NEED(read(turned[0], back, PAGE) == PAGE && filled(back, PAGE, 1));
	NEED(fcntl(turned[0], F_SETFL, O_NONBLOCK) == 0 && read(turned[0], back, 1) == -1 && errno == EAGAIN);
	NEED(write(full[1], data, SIZE) == (ssize_t)SIZE);
	return victim_end();
}
