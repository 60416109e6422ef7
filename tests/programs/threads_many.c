/* SPDX-License-Identifier: BSD-3-Clause */
/* threads_many.c - a thousand threads keep tids, thread-local storage and stacks, and can be joined */
#include <stdatomic.h>

#include "victim.h"

#define THREADS 1000

static __thread int local;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static bool go;
static atomic_int here;

static void *thread(void *arg)
{
	int number = (int)(intptr_t)arg, stack[16];
	pid_t tid = victim_gettid();
	pthread_t self = pthread_self();

	local = number;
	for (int i = 0; i < 16; i++)
		stack[i] = number * i;
	must0(pthread_mutex_lock(&mutex));
	here++;
	while (!go)
		must0(pthread_cond_wait(&cond, &mutex));
	must0(pthread_mutex_unlock(&mutex));
	check(local == number, "thread-local: expected %d, got %d", number, local);
	check(victim_gettid() == tid, "tid: expected %d, got %d", tid, victim_gettid());
	check(pthread_self() == self, "pthread_self changed");
	for (int i = 0; i < 16; i++)
		check(stack[i] == number * i, "stack: expected %d, got %d", number * i, stack[i]);
	return arg;
}

int main(void)
{
	static pthread_t threads[THREADS];
	pthread_attr_t attr;

	must0(pthread_attr_init(&attr));
	must0(pthread_attr_setstacksize(&attr, 65536));
	for (intptr_t i = 0; i < THREADS; i++)
		must0(pthread_create(&threads[i], &attr, thread, (void *)i));
	while (here < THREADS)
		victim_sleep_ms(1);
	victim_ready();
	victim_wait();
	must0(pthread_mutex_lock(&mutex));
	go = true;
	must0(pthread_cond_broadcast(&cond));
	must0(pthread_mutex_unlock(&mutex));
	for (intptr_t i = 0; i < THREADS; i++) {
		void *result = NULL;

		must0(pthread_join(threads[i], &result));
		check(result == (void *)i, "thread %ld gave %p", (long)i, result);
	}
	return victim_end();
}
