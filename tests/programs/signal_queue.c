/* SPDX-License-Identifier: BSD-3-Clause */
/* signal_queue.c - thousands of queued real-time signals, in order, delivered to a handler afterwards */
#include "victim.h"

#define SIGNALS 2000

static volatile int next_value, wrong = -1;

static void handler(int sig, siginfo_t *info, void *context)
{
	if (info->si_value.sival_int != next_value && wrong < 0)
		wrong = next_value;
	next_value++;
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };
	sigset_t mask;

	must(sigaction(SIGRTMIN + 8, &action, NULL));
	sigemptyset(&mask);
	sigaddset(&mask, SIGRTMIN + 8);
	must(sigprocmask(SIG_BLOCK, &mask, NULL));
	for (int i = 0; i < SIGNALS; i++)
		must(sigqueue(getpid(), SIGRTMIN + 8, (union sigval){ .sival_int = i }));
	victim_ready();
	victim_wait();
	check(next_value == 0, "%d signals came although they were blocked", next_value);
	must(sigprocmask(SIG_UNBLOCK, &mask, NULL));
	check(next_value == SIGNALS, "signals: expected %d, got %d", SIGNALS, next_value);
	check(wrong < 0, "the order is broken at %d", wrong);
	return victim_end();
}
