/* SPDX-License-Identifier: BSD-3-Clause */
/* thread_attributes.c - names, signal masks, the address to clear at the end, of each thread */
#include <stdatomic.h>

#include "victim.h"

#define THREADS 20

static atomic_int here;

static void *thread(void *arg)
{
	int number = (int)(intptr_t)arg;
	char name[16], now[16] = "";
	sigset_t mask, mask_now;
	int *clear = NULL, *clear_now = NULL;

	snprintf(name, sizeof(name), "worker (%d) \n\x81", number);
	must(prctl(PR_SET_NAME, name));
	sigemptyset(&mask);
	for (int sig = 1; sig < 32; sig++)
		if (sig % 7 == number % 7 && sig != SIGKILL && sig != SIGSTOP)
			sigaddset(&mask, sig);
	sigaddset(&mask, SIGRTMAX);
	must0(pthread_sigmask(SIG_SETMASK, &mask, NULL));
	prctl(PR_GET_TID_ADDRESS, &clear);
	here++;
	victim_wait();
	must(prctl(PR_GET_NAME, now));
	check(strcmp(name, now) == 0, "name: expected %s, got %s", name, now);
	must0(pthread_sigmask(SIG_SETMASK, NULL, &mask_now));
	for (int sig = 1; sig < NSIG; sig++)
		check(sigismember(&mask, sig) == sigismember(&mask_now, sig), "mask of thread %d: signal %d", number,
		      sig);
	prctl(PR_GET_TID_ADDRESS, &clear_now);
	check(clear == clear_now, "clear_child_tid: expected %p, got %p", (void *)clear, (void *)clear_now);
	return NULL;
}

int main(void)
{
	pthread_t threads[THREADS];

	for (intptr_t i = 0; i < THREADS; i++)
		must0(pthread_create(&threads[i], NULL, thread, (void *)i));
	while (here < THREADS)
		victim_sleep_ms(1);
	victim_ready();
	victim_wait();
	/* Joining waits for the kernel to clear the address. */
	for (int i = 0; i < THREADS; i++)
		must0(pthread_join(threads[i], NULL));
	return victim_end();
}
