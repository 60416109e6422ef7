/* SPDX-License-Identifier: BSD-3-Clause */
/* pipe_packets.c - a packet pipe (O_DIRECT) keeps the boundaries of its packets */
#include "state.h"

static const size_t sizes[] = { 1, 100, 4096, 1, 4095, 7 };

int main(void)
{
	int packets[2], mixed[2], before[2], after[2];
	uint64_t page[PAGE / 8];

	if (pipe2(packets, O_DIRECT | O_NONBLOCK) < 0)
		victim_skip("the kernel has no packet pipes");
	NEED(pipe2(mixed, O_DIRECT | O_NONBLOCK) == 0);
	fill(page, PAGE, 1);
	for (size_t i = 0; i < COUNT(sizes); i++)
		NEED(write(packets[1], page, sizes[i]) == (ssize_t)sizes[i]);
	/* It is the buffers that are packets: what comes later need not be. */
	NEED(write(mixed[1], "abc", 3) == 3 && write(mixed[1], "def", 3) == 3);
	NEED(fcntl(mixed[1], F_SETFL, O_NONBLOCK) == 0);
	NEED(write(mixed[1], "ghi", 3) == 3 && write(mixed[1], "jkl", 3) == 3);
	/* Bytes from before packet mode, and a packet from before its end. */
	NEED(pipe2(before, O_NONBLOCK) == 0 && write(before[1], "bytes", 5) == 5);
	NEED(fcntl(before[1], F_SETFL, O_DIRECT | O_NONBLOCK) == 0);
	NEED(pipe2(after, O_DIRECT | O_NONBLOCK) == 0 && write(after[1], "packet", 6) == 6);
	NEED(fcntl(after[1], F_SETFL, O_NONBLOCK) == 0);

	hold();

	NEED(fcntl(packets[1], F_GETFL) & O_DIRECT);
	for (size_t i = 0; i < COUNT(sizes); i++) {
		char got[8192];
		ssize_t n = read(packets[0], got, sizeof(got));

		if (n != (ssize_t)sizes[i])
			GIVE_UP("packet %zu had %zu bytes, has %zd", i, sizes[i], n);
		NEED(!memcmp(got, page, sizes[i]));
	}
	NEED(read(packets[0], page, PAGE) == -1 && errno == EAGAIN);
	NEED(write(packets[1], "xx", 2) == 2 && write(packets[1], "y", 1) == 1 && read(packets[0], page, PAGE) == 2);
	NEED(!(fcntl(mixed[1], F_GETFL) & O_DIRECT));
	NEED(read(mixed[0], page, PAGE) == 3 && !memcmp(page, "abc", 3));
	NEED(read(mixed[0], page, PAGE) == 3 && !memcmp(page, "def", 3));
	NEED(read(mixed[0], page, PAGE) == 6 && !memcmp(page, "ghijkl", 6));
	NEED(read(before[0], page, 1) == 1 && read(before[0], page, PAGE) == 4 && !memcmp(page, "ytes", 4));
	NEED(read(after[0], page, 1) == 1 && read(after[0], page, PAGE) == -1 && errno == EAGAIN);
	return victim_end();
}
