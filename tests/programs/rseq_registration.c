/* SPDX-License-Identifier: BSD-3-Clause */
/* rseq_registration.c - restartable sequences stay registered and tell the processor */
#include <stdatomic.h>
#include <sys/rseq.h>

#include "victim.h"

static atomic_int here;

static struct rseq *area(void)
{
	return (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
}

static void verify(void)
{
	unsigned int cpu = 9999;
	cpu_set_t set;

	/* Asking for the same registration again tells whether there is one. */
	check(syscall(SYS_rseq, area(), 32, 0, RSEQ_SIG) == -1 && errno == EBUSY,
	      "rseq of thread %d is not registered (%s)", victim_gettid(), strerror(errno));
	for (int n = 0; n < 2; n++) {
		CPU_ZERO(&set);
		CPU_SET(n, &set);
		if (sched_setaffinity(0, sizeof(set), &set) == -1)
			continue;
		must(syscall(SYS_getcpu, &cpu, NULL, NULL));
		check(cpu == (unsigned int)n, "getcpu: expected %d, got %u", n, cpu);
		check(area()->cpu_id == cpu, "rseq: processor: expected %u, got %u", cpu, area()->cpu_id);
		check(sched_getcpu() == n, "sched_getcpu: expected %d, got %d", n, sched_getcpu());
	}
}

static void *thread(void *arg)
{
	here++;
	victim_wait();
	verify();
	return NULL;
}

int main(void)
{
	pthread_t threads[3];

	if (__rseq_size == 0)
		victim_skip("the C library did not register rseq");
	for (int i = 0; i < 3; i++)
		must0(pthread_create(&threads[i], NULL, thread, NULL));
	while (here < 3)
		victim_sleep_ms(1);
	victim_ready();
	victim_wait();
	verify();
	for (int i = 0; i < 3; i++)
		must0(pthread_join(threads[i], NULL));
	return victim_end();
}
