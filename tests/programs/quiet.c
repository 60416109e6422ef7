/* SPDX-License-Identifier: BSD-3-Clause */
/* quiet.c - processes and threads that wait and never change: what differs after a fault is dunlin's doing
 *
 * No test of its own (it does not wait for "go", which would show): tests/kill/faults.sh ends it by SIGTERM.
 *
 * unsettled: status (the mask is another one until the first thread waits again)
 */
#include "victim.h"

static int empty[2], ends[2];
static sigset_t term;

static void *reading(void *arg)
{
	char c;
	ssize_t n = read(empty[0], &c, 1);

	check(n == 0, "read: got %zd (%s)", n, strerror(errno));
	return NULL;
}

static void *waiting(void *arg)
{
	static pthread_mutex_t *mutex;

	mutex = arg;
	must0(pthread_mutex_lock(mutex));
	must0(pthread_mutex_unlock(mutex));
	return NULL;
}

static void sleeping(void *arg)
{
	char c;

	/* It keeps the other end: should its parent be gone, it stays, to be seen. */
	victim_here();
	check(read(ends[0], &c, 1) == 1, "a child's read: %s", strerror(errno));
}

int main(void)
{
	static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	siginfo_t info;
	pthread_t threads[2];
	pid_t child;

	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	must0(pthread_sigmask(SIG_BLOCK, &term, NULL));
	must(pipe(ends));
	victim_gate();
	child = victim_fork(sleeping, NULL);
	victim_all_here(1);
	must(pipe(empty));
	must0(pthread_mutex_lock(&mutex));
	must0(pthread_create(&threads[0], NULL, reading, NULL));
	must0(pthread_create(&threads[1], NULL, waiting, &mutex));
	victim_ready();
	/* Killed dunlins may be seen here, see torture_sleep.c. */
	while (sigwaitinfo(&term, &info) != SIGTERM)
		check(errno == EINTR, "sigwaitinfo: %s", strerror(errno));
	must0(pthread_mutex_unlock(&mutex));
	close(empty[1]);
	must(write(ends[1], "x", 1));
	must0(pthread_join(threads[0], NULL));
	must0(pthread_join(threads[1], NULL));
	victim_join(child);
	return victim_end();
}
