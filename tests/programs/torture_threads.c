/* SPDX-License-Identifier: BSD-3-Clause */
/* torture_threads.c - threads and processes that hand a token around by futexes and pipes, and count
 *
 * unsettled: status (the number of blocked threads)
 */
#include <stdatomic.h>

#include "victim.h"

#define THREADS 20

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond[THREADS];
static int turn;
static long token;
static atomic_bool end;

static void *ring(void *arg)
{
	int me = (int)(intptr_t)arg;

	must0(pthread_mutex_lock(&mutex));
	for (;;) {
		while (turn != me && !end)
			must0(pthread_cond_wait(&cond[me], &mutex));
		if (end)
			break;
		check(token % THREADS == me, "token %ld at thread %d", token, me);
		token++;
		turn = (me + 1) % THREADS;
		must0(pthread_cond_signal(&cond[turn]));
		if (me == 0) {
			/* Leave some time to others. */
			must0(pthread_mutex_unlock(&mutex));
			victim_sleep_ms(1);
			must0(pthread_mutex_lock(&mutex));
		}
	}
	for (int i = 0; i < THREADS; i++)
		must0(pthread_cond_signal(&cond[i]));
	must0(pthread_mutex_unlock(&mutex));
	return NULL;
}

/* Echoes numbers, each plus one, until the pipe ends. */
static void echo(void *arg)
{
	int *ends = arg;
	long value;
	ssize_t n;

	close(ends[1]);
	close(ends[2]);
	while ((n = read(ends[0], &value, sizeof(value))) == sizeof(value)) {
		value++;
		must(write(ends[3], &value, sizeof(value)));
	}
	check(n == 0, "the child: read gave %zd (%s)", n, strerror(errno));
}

int main(void)
{
	pthread_t threads[THREADS];
	int ends[4]; /* to the child: 0, 1; from it: 2, 3 */
	long count = 0;
	pid_t pid;

	must(pipe(ends));
	must(pipe(ends + 2));
	pid = victim_fork(echo, ends);
	close(ends[0]);
	close(ends[3]);
	for (int i = 0; i < THREADS; i++)
		must0(pthread_cond_init(&cond[i], NULL));
	for (intptr_t i = 0; i < THREADS; i++)
		must0(pthread_create(&threads[i], NULL, ring, (void *)i));
	victim_ready();
	while (!victim_may_go()) {
		long answer = 0;

		must(write(ends[1], &count, sizeof(count)));
		check(read(ends[2], &answer, sizeof(answer)) == sizeof(answer), "read: %s", strerror(errno));
		check(answer == count + 1, "echo: expected %ld, got %ld", count + 1, answer);
		count = answer;
		if (count % 50 == 0)
			victim_sleep_ms(1);
	}
	close(ends[1]);
	victim_join(pid);
	must0(pthread_mutex_lock(&mutex));
	end = true;
	must0(pthread_cond_broadcast(&cond[0]));
	for (int i = 0; i < THREADS; i++)
		must0(pthread_cond_signal(&cond[i]));
	must0(pthread_mutex_unlock(&mutex));
	for (int i = 0; i < THREADS; i++)
		must0(pthread_join(threads[i], NULL));
	return victim_end();
}
