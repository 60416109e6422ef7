/* SPDX-License-Identifier: BSD-3-Clause */
/* pipe_sizes.c - pipes made larger and smaller than usual, with as much data as they take */
#include "state.h"

static const int sizes[] = { 4096, 65536, 1 << 20 };

int main(void)
{
	int pipes[COUNT(sizes)][2], before[COUNT(sizes)];
	uint64_t *data = malloc(1 << 20);

	fill(data, 1 << 20, 1);
	for (size_t i = 0; i < COUNT(sizes); i++) {
		NEED(pipe2(pipes[i], O_NONBLOCK) == 0);
		before[i] = fcntl(pipes[i][0], F_SETPIPE_SZ, sizes[i]);
		NEED(before[i] >= sizes[i]);
		NEED(write(pipes[i][1], data, (size_t)before[i]) == before[i]);
	}

	hold();

	for (size_t i = 0; i < COUNT(sizes); i++) {
		NEED(fcntl(pipes[i][1], F_GETPIPE_SZ) == before[i]);
		NEED(write(pipes[i][1], "x", 1) == -1 && errno == EAGAIN);
		memset(data, 0, (size_t)before[i]);
		NEED(read(pipes[i][0], data, 1 << 20) == before[i] && filled(data, (size_t)before[i], 1));
	}
	return victim_end();
}
