/* SPDX-License-Identifier: BSD-3-Clause */
/* torture_signals.c - a process that is showered with numbered signals while it computes, sleeps and reads
 *
 * A child sends real-time signals with consecutive numbers, a timer adds its own; none may be lost,
 * doubled or out of order, and what they interrupt must not notice.
 *
 * unsettled: status
 */
#include "victim.h"

static volatile int expected, wrong = -1, wrong_value;
static volatile sig_atomic_t ticks, end;
static int *acknowledged; /* shared with the child */

static void on_number(int sig, siginfo_t *info, void *context)
{
	if (info->si_value.sival_int != expected && wrong < 0) {
		wrong = expected;
		wrong_value = info->si_value.sival_int;
	}
	expected = info->si_value.sival_int + 1;
	__atomic_store_n(acknowledged, expected, __ATOMIC_RELEASE);
}

static void on_tick(int sig)
{
	ticks++;
}

/* Ahead by at most 20. */
static void send(void *arg)
{
	pid_t to = getppid();

	for (int i = 0; !victim_may_go(); i++) {
		while (i - __atomic_load_n(acknowledged, __ATOMIC_ACQUIRE) > 20)
			if (victim_may_go())
				return;
			else
				victim_sleep_ms(1);
		must(sigqueue(to, SIGRTMIN + 1, (union sigval){ .sival_int = i }));
		if (i % 50 == 0)
			victim_sleep_ms(1);
	}
}

static uint64_t compute(void)
{
	uint64_t x = 1;

	for (int i = 0; i < 20000; i++)
		x = x * 6364136223846793005ul + 1442695040888963407ul;
	return x;
}

int main(void)
{
	struct sigaction action = { .sa_flags = SA_RESTART | SA_SIGINFO };
	struct itimerspec interval = { { 0, 5000000 }, { 0, 5000000 } };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	uint64_t wanted = compute();
	sigset_t before, now;
	timer_t timer;
	pid_t pid;

	acknowledged = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	action.sa_sigaction = on_number;
	must(sigaction(SIGRTMIN + 1, &action, NULL));
	action.sa_flags = SA_RESTART;
	action.sa_handler = on_tick;
	must(sigaction(SIGUSR1, &action, NULL));
	must(sigprocmask(SIG_SETMASK, NULL, &before));
	pid = victim_fork(send, NULL);
	must(timer_create(CLOCK_MONOTONIC, &event, &timer));
	must(timer_settime(timer, 0, &interval, NULL));
	while (!ticks || !expected)
		;
	victim_ready();
	while (!victim_may_go()) {
		struct timespec t = { 0, 1000000 };
		uint64_t got = compute();
		double start = victim_clock();

		check(got == wanted, "computing: expected %lx, got %lx", wanted, got);
		while (clock_nanosleep(CLOCK_MONOTONIC, 0, &t, &t) == EINTR)
			;
		check(victim_clock() - start > 0.0009, "a sleep took %.6f s", victim_clock() - start);
		must(sigprocmask(SIG_SETMASK, NULL, &now));
		check(memcmp(&before, &now, 8) == 0, "the signal mask changed");
	}
	victim_join(pid);
	must(timer_delete(timer));
	check(wrong < 0, "signal %d was expected, %d came", wrong, wrong_value);
	return victim_end();
}
