/* SPDX-License-Identifier: BSD-3-Clause */
/* timers_expire.c - timers that expire one after another, some while the program is held: each sends its signal once
 *
 * Children make the checkpoint take a while.
 *
 * unsettled: all (signals become pending)
 */
#include <sys/time.h>

#include "victim.h"

#define CHILDREN 30
#define FIRST_MS 20
#define NEXT_MS 5

static timer_t timers[64];
static int count;

static void child(void *arg)
{
	while (!victim_may_go())
		victim_sleep_ms(50);
}

static void start_timers(void)
{
	struct itimerval alarm_at = { .it_value.tv_usec = (FIRST_MS + 10 * NEXT_MS) * 1000 };

	count = SIGRTMAX - SIGRTMIN + 1;
	for (int i = 0; i < count; i++) {
		struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + i };
		struct itimerspec it = { .it_value.tv_nsec = (FIRST_MS + i * NEXT_MS) * 1000000L };

		if (i % 2) {
			ev.sigev_notify = SIGEV_THREAD_ID;
			ev._sigev_un._tid = victim_gettid();
		}
		ev.sigev_value.sival_int = i;
		must(timer_create(CLOCK_MONOTONIC, &ev, &timers[i]));
		must(timer_settime(timers[i], 0, &it, NULL));
	}
	must(setitimer(ITIMER_REAL, &alarm_at, NULL));
}

/* How often it is pending. */
static int take(int sig, int code, int value)
{
	struct timespec none = { 0, 0 };
	siginfo_t info;
	sigset_t only;
	int n = 0;

	sigemptyset(&only);
	sigaddset(&only, sig);
	while (sigtimedwait(&only, &info, &none) == sig) {
		check(info.si_code == code, "signal %d: code %d, expected %d", sig, info.si_code, code);
		check(code != SI_TIMER || info.si_value.sival_int == value, "signal %d: value %d", sig,
		      info.si_value.sival_int);
		n++;
	}
	return n;
}

int main(void)
{
	pid_t pids[CHILDREN];
	sigset_t all;

	sigfillset(&all);
	must(sigprocmask(SIG_BLOCK, &all, NULL));
	for (int i = 0; i < CHILDREN; i++)
		pids[i] = victim_fork(child, NULL);
	start_timers();
	victim_ready();
	victim_wait();
	victim_sleep_ms(FIRST_MS + 32 * NEXT_MS);
	for (int i = 0; i < count; i++) {
		int n = take(SIGRTMIN + i, SI_TIMER, i);

		check(n == 1, "timer %d sent %d signals", i, n);
	}
	check(take(SIGALRM, SI_KERNEL, 0) == 1, "the alarm is gone");
	for (int i = 0; i < CHILDREN; i++)
		victim_join(pids[i]);
	return victim_end();
}
