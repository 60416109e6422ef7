/* SPDX-License-Identifier: BSD-3-Clause */
/* pipe_processes.c - pipes between processes: several writers, several readers, data under way */
#include "state.h"

#define WRITERS 4

static int numbers[2], done[2], go[2];

static void writer(void *arg)
{
	uint32_t who = *(uint32_t *)arg;

	close(numbers[0]);
	close(done[0]);
	for (uint32_t i = 0; i < 500; i++) {
		uint32_t message[2] = { who, i };

		if (i == 100) { /* here it blocks: nothing was read yet */
			char byte;

			NEED(read(go[0], &byte, 1) == 1);
		}
		NEED(write(numbers[1], message, sizeof(message)) == sizeof(message));
	}
	NEED(write(done[1], &who, sizeof(who)) == sizeof(who));
}

int main(void)
{
	pid_t children[WRITERS];
	uint32_t next[WRITERS] = { 0 }, message[2], who;

	NEED(pipe(numbers) == 0 && pipe(done) == 0 && pipe(go) == 0);
	for (who = 0; who < WRITERS; who++)
		children[who] = victim_fork(writer, &who);
	close(numbers[1]);
	close(done[1]);
	close(go[0]);

	hold();

	NEED(write(go[1], "....", WRITERS) == WRITERS);
	while (read(numbers[0], message, sizeof(message)) == sizeof(message)) {
		NEED(message[0] < WRITERS && message[1] == next[message[0]]);
		next[message[0]]++;
	}
	for (who = 0; who < WRITERS; who++)
		NEED(next[who] == 500);
	for (int i = 0; i < WRITERS; i++)
		NEED(read(done[0], &who, sizeof(who)) == sizeof(who) && who < WRITERS);
	NEED(read(done[0], &who, sizeof(who)) == 0);
	for (who = 0; who < WRITERS; who++)
		victim_join(children[who]);
	return victim_end();
}
