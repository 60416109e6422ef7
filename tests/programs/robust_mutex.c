/* SPDX-License-Identifier: BSD-3-Clause */
/* robust_mutex.c - robust mutexes whose owner dies afterwards: a thread, and another process */
#include <stdatomic.h>

#include "victim.h"

struct shared {
	pthread_mutex_t mutex;
	int protected;
};

static struct shared in_process, *in_shared;
static atomic_int here;

static void init(struct shared *s, int where)
{
	pthread_mutexattr_t attr;

	must0(pthread_mutexattr_init(&attr));
	must0(pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST));
	must0(pthread_mutexattr_setpshared(&attr, where));
	must0(pthread_mutex_init(&s->mutex, &attr));
}

static void *owner_thread(void *arg)
{
	must0(pthread_mutex_lock(&in_process.mutex));
	in_process.protected = 1;
	here++;
	victim_wait();
	return NULL;
}

static void owner_process(void *arg)
{
	must0(pthread_mutex_lock(&in_shared->mutex));
	in_shared->protected = 2;
	victim_here();
	victim_wait();
}

static void *waiter(void *arg)
{
	int *result = arg;

	here++;
	*result = pthread_mutex_lock(&in_shared->mutex);
	if (*result == EOWNERDEAD)
		pthread_mutex_consistent(&in_shared->mutex);
	pthread_mutex_unlock(&in_shared->mutex);
	return NULL;
}

int main(void)
{
	pthread_t owner, waiting;
	void *head = NULL, *now = NULL;
	size_t len;
	int result = -1;
	pid_t pid;

	in_shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	init(&in_process, PTHREAD_PROCESS_PRIVATE);
	init(in_shared, PTHREAD_PROCESS_SHARED);
	victim_gate();
	pid = victim_fork(owner_process, NULL);
	victim_all_here(1);
	must0(pthread_create(&owner, NULL, owner_thread, NULL));
	must0(pthread_create(&waiting, NULL, waiter, &result));
	while (here < 2)
		victim_sleep_ms(1);
	must(syscall(SYS_get_robust_list, 0, &head, &len));
	victim_ready();
	victim_wait();
	must(syscall(SYS_get_robust_list, 0, &now, &len));
	check(now == head, "robust list: expected %p, got %p", head, now);
	must0(pthread_join(owner, NULL));
	check(pthread_mutex_trylock(&in_process.mutex) == EOWNERDEAD, "the thread died, and its mutex does not tell");
	check(in_process.protected == 1, "protected value: got %d", in_process.protected);
	victim_join(pid);
	must0(pthread_join(waiting, NULL));
	check(result == EOWNERDEAD, "the process died: expected EOWNERDEAD, got %d", result);
	check(in_shared->protected == 2, "protected value: got %d", in_shared->protected);
	return victim_end();
}
