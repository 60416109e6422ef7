/* SPDX-License-Identifier: BSD-3-Clause */
/* cpu_affinity.c - which processors each thread may run on */
#include <stdatomic.h>

#include "victim.h"

static cpu_set_t allowed;
static atomic_int here;

static void *thread(void *arg)
{
	cpu_set_t *set = arg, now;

	must(sched_setaffinity(0, sizeof(*set), set));
	here++;
	victim_wait();
	must(sched_getaffinity(0, sizeof(now), &now));
	check(CPU_EQUAL(&now, set), "affinity: expected %lx, got %lx", set->__bits[0], now.__bits[0]);
	return NULL;
}

int main(void)
{
	static cpu_set_t sets[CPU_SETSIZE];
	static pthread_t threads[CPU_SETSIZE];
	cpu_set_t now;
	int count = 0;

	must(sched_getaffinity(0, sizeof(allowed), &allowed));
	if (CPU_COUNT(&allowed) < 2)
		victim_skip("there is one processor only");
	for (int cpu = 0; cpu < CPU_SETSIZE && count < 16; cpu++) {
		if (!CPU_ISSET(cpu, &allowed))
			continue;
		CPU_SET(cpu, &sets[count]);
		must0(pthread_create(&threads[count], NULL, thread, &sets[count]));
		count++;
	}
	while (here < count)
		victim_sleep_ms(1);
	victim_ready();
	victim_wait();
	must(sched_getaffinity(0, sizeof(now), &now));
	check(CPU_EQUAL(&now, &allowed), "affinity of the main thread changed");
	for (int i = 0; i < count; i++)
		must0(pthread_join(threads[i], NULL));
	return victim_end();
}
