/* SPDX-License-Identifier: BSD-3-Clause */
/* thread_leader_exited.c - the main thread ended, another one goes on
 *
 * refused: first thread
 */
#include "victim.h"

static void *survivor(void *arg)
{
	pid_t me = victim_gettid();

	/* The leader shows as a zombie while other threads live. */
	victim_await_state(getpid(), 'Z');
	victim_ready();
	victim_wait();
	check(victim_gettid() == me, "tid: expected %d, got %d", me, victim_gettid());
	check(getpid() != me, "the surviving thread became the leader");
	exit(victim_end());
}

int main(void)
{
	pthread_t thread;

	must0(pthread_create(&thread, NULL, survivor, NULL));
	pthread_exit(NULL);
}
