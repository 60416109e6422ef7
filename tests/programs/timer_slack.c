/* SPDX-License-Identifier: BSD-3-Clause */
/* timer_slack.c - timer slack, of each thread; the default is inherited by new ones */
#include <stdatomic.h>

#include "victim.h"

static atomic_int here;

static void *thread(void *arg)
{
	long expected = (long)(intptr_t)arg;

	must(prctl(PR_SET_TIMERSLACK, expected));
	here++;
	victim_wait();
	check(prctl(PR_GET_TIMERSLACK) == expected, "slack: expected %ld, got %d", expected, prctl(PR_GET_TIMERSLACK));
	return NULL;
}

static void grandchild(void *arg)
{
	check(prctl(PR_GET_TIMERSLACK) == 77777, "slack of a new child: got %d", prctl(PR_GET_TIMERSLACK));
}

int main(void)
{
	pthread_t threads[2];

	must(prctl(PR_SET_TIMERSLACK, 77777));
	must0(pthread_create(&threads[0], NULL, thread, (void *)1));
	must0(pthread_create(&threads[1], NULL, thread, (void *)1000000000));
	while (here < 2)
		victim_sleep_ms(1);
	victim_ready();
	victim_wait();
	check(prctl(PR_GET_TIMERSLACK) == 77777, "slack: got %d", prctl(PR_GET_TIMERSLACK));
	victim_join(victim_fork(grandchild, NULL));
	must0(pthread_join(threads[0], NULL));
	must0(pthread_join(threads[1], NULL));
	return victim_end();
}
