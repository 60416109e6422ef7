/* SPDX-License-Identifier: BSD-3-Clause */
/* io_priority.c - I/O priorities of threads */
#include <stdatomic.h>

#include "victim.h"

#define PRIORITY(class, data) ((class) << 13 | (data))

static const int wanted[] = { PRIORITY(2, 0), PRIORITY(2, 7), PRIORITY(3, 0), PRIORITY(1, 3) };
static atomic_int here;

static void *thread(void *arg)
{
	int expected = wanted[(intptr_t)arg];

	if (syscall(SYS_ioprio_set, 1, 0, expected) == -1) {
		/* The real-time class needs a privilege. */
		check(expected >> 13 == 1 && errno == EPERM, "ioprio_set %x: %s", expected, strerror(errno));
		expected = (int)must(syscall(SYS_ioprio_get, 1, 0));
	}
	here++;
	victim_wait();
	check(syscall(SYS_ioprio_get, 1, 0) == expected, "I/O priority: expected %x, got %lx", expected,
	      syscall(SYS_ioprio_get, 1, 0));
	return NULL;
}

int main(void)
{
	pthread_t threads[COUNT(wanted)];
	long before = must(syscall(SYS_ioprio_get, 1, 0));

	for (size_t i = 0; i < COUNT(wanted); i++)
		must0(pthread_create(&threads[i], NULL, thread, (void *)i));
	while (here < (int)COUNT(wanted))
		victim_sleep_ms(1);
	victim_ready();
	victim_wait();
	check(syscall(SYS_ioprio_get, 1, 0) == before, "I/O priority of the main thread changed");
	for (size_t i = 0; i < COUNT(wanted); i++)
		must0(pthread_join(threads[i], NULL));
	return victim_end();
}
