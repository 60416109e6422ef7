/* SPDX-License-Identifier: BSD-3-Clause */
/* stopped_threads.c - a stopped process with threads: all of them stay stopped, and go on after SIGCONT */
#include <stdatomic.h>

#include "victim.h"

#define THREADS 8

static atomic_long ticks[THREADS];
static atomic_bool end;

static void *tick(void *arg)
{
	while (!end) {
		ticks[(intptr_t)arg]++;
		victim_sleep_ms(1);
	}
	return NULL;
}

static void child(void *arg)
{
	pthread_t threads[THREADS];
	long before[THREADS];

	for (intptr_t i = 0; i < THREADS; i++)
		must0(pthread_create(&threads[i], NULL, tick, (void *)i));
	for (int i = 0; i < THREADS; i++)
		while (!ticks[i])
			victim_sleep_ms(1);
	raise(SIGSTOP);
	for (int i = 0; i < THREADS; i++)
		before[i] = ticks[i];
	for (int i = 0; i < THREADS; i++)
		for (int n = 0; ticks[i] == before[i]; n++) {
			if (n == 20000) {
				check(false, "thread %d does not go on", i);
				return;
			}
			victim_sleep_ms(1);
		}
	end = true;
	for (int i = 0; i < THREADS; i++)
		must0(pthread_join(threads[i], NULL));
}

int main(void)
{
	pid_t pid = victim_fork(child, NULL);
	int status;

	victim_await_state(pid, 'T');
	victim_ready();
	victim_wait();
	victim_await_state(pid, 'T');
	check(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status), "status %x", status);
	must(kill(pid, SIGCONT));
	victim_join(pid);
	return victim_end();
}
