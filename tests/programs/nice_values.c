/* SPDX-License-Identifier: BSD-3-Clause */
/* nice_values.c - nice values, of each thread */
#include <stdatomic.h>

#include "victim.h"

static atomic_int here;

static void *thread(void *arg)
{
	int expected = (int)(intptr_t)arg;

	if (setpriority(PRIO_PROCESS, 0, expected) == -1)
		expected = getpriority(PRIO_PROCESS, 0); /* no privilege to go below 0 */
	here++;
	victim_wait();
	errno = 0;
	check(getpriority(PRIO_PROCESS, 0) == expected, "nice: expected %d, got %d", expected,
	      getpriority(PRIO_PROCESS, 0));
	return NULL;
}

int main(void)
{
	static const int values[] = { 19, 5, -10, -20 };
	pthread_t threads[COUNT(values)];

	for (size_t i = 0; i < COUNT(values); i++)
		must0(pthread_create(&threads[i], NULL, thread, (void *)(intptr_t)values[i]));
	while (here < (int)COUNT(values))
		victim_sleep_ms(1);
	must(setpriority(PRIO_PROCESS, 0, 3));
	victim_ready();
	victim_wait();
	check(getpriority(PRIO_PROCESS, 0) == 3, "nice: expected 3, got %d", getpriority(PRIO_PROCESS, 0));
	for (size_t i = 0; i < COUNT(values); i++)
		must0(pthread_join(threads[i], NULL));
	return victim_end();
}
