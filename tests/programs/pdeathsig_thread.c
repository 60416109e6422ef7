/* SPDX-License-Identifier: BSD-3-Clause */
/* pdeathsig_thread.c - a child of a thread that is not the first: the end of that thread is what it is told
 *
 * Its process is stopped and continued after all.
 */
#include <stdatomic.h>

#include "victim.h"

static atomic_bool told, thread_may_end;
static pid_t grandchild;

static void on_death(int sig)
{
	told = true;
}

static void wait_for_death(void *arg)
{
	signal(SIGUSR1, on_death);
	must(prctl(PR_SET_PDEATHSIG, SIGUSR1));
	victim_here();
	victim_wait();
	victim_sleep_ms(50);
	check(!told, "the signal came too early");
	must(write(*(int *)arg, "r", 1));
	for (int i = 0; i < 2000 && !told; i++)
		victim_sleep_ms(10);
	check(told, "the thread has ended and no signal came");
}

static void *forks(void *arg)
{
	grandchild = victim_fork(wait_for_death, arg);
	while (!thread_may_end)
		victim_sleep_ms(10);
	return NULL;
}

static void middle(void *arg)
{
	int ready[2];
	pthread_t thread;
	char c;

	must(pipe(ready));
	must0(pthread_create(&thread, NULL, forks, &ready[1]));
	victim_wait();
	check(read(ready[0], &c, 1) == 1, "reading the pipe: %s", strerror(errno));
	thread_may_end = true;
	must0(pthread_join(thread, NULL));
	victim_join(grandchild);
}

int main(void)
{
	pid_t pid;

	victim_gate();
	pid = victim_fork(middle, NULL);
	victim_all_here(1);
	must(kill(pid, SIGSTOP));
	victim_await_state(pid, 'T');
	victim_ready();
	victim_wait();
	must(kill(pid, SIGCONT));
	victim_join(pid);
	return victim_end();
}
