/* SPDX-License-Identifier: BSD-3-Clause */
/* timeout_processor.c - a sleep by a clock of processor time does not end because time goes by */
#include <stdatomic.h>

#include "victim.h"

#define MS 300

static atomic_bool woken;

static void *sleeper(void *arg)
{
	struct timespec t = { .tv_nsec = MS * 1000000L };
	int r = clock_nanosleep(CLOCK_PROCESS_CPUTIME_ID, 0, &t, NULL);

	check(r == 0, "clock_nanosleep: %s", strerror(r));
	woken = true;
	return NULL;
}

int main(void)
{
	pthread_t thread;

	must0(pthread_create(&thread, NULL, sleeper, NULL));
	victim_sleep_ms(MS + 100);
	victim_ready();
	victim_wait();
	victim_sleep_ms(50);
	check(!woken, "it has slept for too short a time");
	while (!woken)
		;
	must0(pthread_join(thread, NULL));
	return victim_end();
}
