/* SPDX-License-Identifier: BSD-3-Clause */
/* pipe_chain.c - a chain of processes, each passes on what it reads: data is everywhere on the way */
#include "state.h"

#define STAGES 6
#define NUMBERS 200000

static int pipes[STAGES + 1][2];

static void stage(void *arg)
{
	int mine = *(int *)arg;
	uint32_t block[1000];
	ssize_t n;

	for (int i = 0; i <= STAGES; i++) {
		if (i != mine)
			close(pipes[i][0]);
		if (i != mine + 1)
			close(pipes[i][1]);
	}
	while ((n = read(pipes[mine][0], block, sizeof(block))) > 0)
		for (ssize_t done = 0, wrote; done < n; done += wrote) {
			wrote = write(pipes[mine + 1][1], (char *)block + done, (size_t)(n - done));
			NEED(wrote > 0);
		}
	NEED(n == 0);
}

static void source(void *unused)
{
	for (int i = 0; i <= STAGES; i++) {
		close(pipes[i][0]);
		if (i)
			close(pipes[i][1]);
	}
	for (uint32_t i = 0; i < NUMBERS; i++)
		NEED(write(pipes[0][1], &i, sizeof(i)) == sizeof(i));
}

int main(void)
{
	pid_t children[STAGES + 1];
	uint32_t number;

	for (int i = 0; i <= STAGES; i++)
		NEED(pipe(pipes[i]) == 0);
	for (int i = 0; i < STAGES; i++)
		children[i] = victim_fork(stage, &i);
	children[STAGES] = victim_fork(source, NULL);
	for (int i = 0; i <= STAGES; i++) {
		close(pipes[i][1]);
		if (i < STAGES)
			close(pipes[i][0]);
	}
	for (uint32_t i = 0; i < NUMBERS; i++) {
		NEED(read(pipes[STAGES][0], &number, sizeof(number)) == sizeof(number) && number == i);
		if (i == NUMBERS / 4)
			hold();
	}
	NEED(read(pipes[STAGES][0], &number, sizeof(number)) == 0);
	for (int i = 0; i <= STAGES; i++)
		victim_join(children[i]);
	return victim_end();
}
