/* SPDX-License-Identifier: BSD-3-Clause */
/* threads_born.c - threads are made and end all the time, and the ones after the checkpoint work too
 *
 * unsettled: all
 */
#include <stdatomic.h>

#include "victim.h"

static __thread long local = 7;

static void *brief(void *arg)
{
	local += (long)(intptr_t)arg;
	return (void *)(intptr_t)local;
}

static void *maker(void *arg)
{
	for (intptr_t i = 0; !victim_may_go(); i++) {
		pthread_t threads[4];
		void *result;

		for (intptr_t k = 0; k < 4; k++)
			must0(pthread_create(&threads[k], NULL, brief, (void *)(i + k)));
		for (intptr_t k = 0; k < 4; k++) {
			must0(pthread_join(threads[k], &result));
			check(result == (void *)(i + k + 7), "thread %ld gave %p", (long)(i + k), result);
		}
	}
	return NULL;
}

int main(void)
{
	pthread_t makers[2];

	must0(pthread_create(&makers[0], NULL, maker, NULL));
	must0(pthread_create(&makers[1], NULL, maker, NULL));
	victim_sleep_ms(20);
	victim_ready();
	must0(pthread_join(makers[0], NULL));
	must0(pthread_join(makers[1], NULL));
	return victim_end();
}
