/* SPDX-License-Identifier: BSD-3-Clause */
/* interval_timers.c - setitimer of all three kinds, and alarm: what remains, and that they fire
 *
 * unsettled: status (signals come and go)
 */
#include <sys/time.h>

#include "victim.h"

static volatile sig_atomic_t alarms, virtual_ticks;

static void on_alarm(int sig)
{
	alarms++;
}

static void on_virtual(int sig)
{
	virtual_ticks++;
}

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

/* What remains of a timer of 1000 s.  Processor time passes no faster than real time on one thread. */
static void verify(int which, double interval, double since)
{
	struct itimerval now;
	double passed = victim_clock() - since;

	must(getitimer(which, &now));
	check(seconds(now.it_value) <= 1000.01 && seconds(now.it_value) > 1000 - passed - 5,
	      "timer %d: %.3f s of 1000 remain after %.3f s", which, seconds(now.it_value), passed);
	check(seconds(now.it_interval) == interval, "timer %d: interval %.6f, not %.6f", which,
	      seconds(now.it_interval), interval);
}

static void long_ones(void *arg)
{
	struct itimerval timer = { { 500, 250000 }, { 1000, 0 } };
	double since = victim_clock();

	must(setitimer(ITIMER_REAL, &timer, NULL));
	timer.it_interval.tv_sec = 0;
	must(setitimer(ITIMER_VIRTUAL, &timer, NULL));
	timer.it_interval.tv_usec = 0;
	must(setitimer(ITIMER_PROF, &timer, NULL));
	victim_here();
	victim_wait();
	verify(ITIMER_REAL, 500.25, since);
	verify(ITIMER_VIRTUAL, 0.25, since);
	verify(ITIMER_PROF, 0, since);
}

/* Fires before, over and after the checkpoint. */
static void ticking(void *arg)
{
	struct itimerval timer = { { 0, 20000 }, { 0, 20000 } };
	int before;

	signal(SIGALRM, on_alarm);
	must(setitimer(ITIMER_REAL, &timer, NULL));
	while (alarms < 2)
		victim_sleep_ms(1);
	victim_here();
	victim_wait();
	before = alarms;
	for (int i = 0; i < 20000 && alarms < before + 5; i++)
		victim_sleep_ms(1);
	check(alarms >= before + 5, "the interval timer fired %d times more, not 5", alarms - before);
}

/* Its second comes by computing only. */
static void burning(void *arg)
{
	struct itimerval timer = { { 0, 10000 }, { 0, 100000 } };

	signal(SIGVTALRM, on_virtual);
	must(setitimer(ITIMER_VIRTUAL, &timer, NULL));
	victim_here();
	victim_wait();
	for (double end = victim_clock() + 30; virtual_ticks < 3 && victim_clock() < end;)
		;
	check(virtual_ticks >= 3, "the virtual timer fired %d times, not 3", virtual_ticks);
}

static void once(void *arg)
{
	unsigned int rest;

	signal(SIGALRM, on_alarm);
	alarm(2);
	victim_here();
	victim_wait();
	for (int i = 0; i < 20000 && !alarms; i++)
		victim_sleep_ms(1);
	check(alarms == 1, "the alarm went off %d times", alarms);
	rest = alarm(0);
	check(rest == 0, "after the alarm %u s remain", rest);
}

int main(void)
{
	pid_t pids[4];

	victim_gate();
	pids[0] = victim_fork(long_ones, NULL);
	pids[1] = victim_fork(ticking, NULL);
	pids[2] = victim_fork(burning, NULL);
	pids[3] = victim_fork(once, NULL);
	victim_all_here(4);
	victim_ready();
	victim_wait();
	check(alarm(0) == 0, "the parent has an alarm that it did not set");
	for (int i = 0; i < 4; i++)
		victim_join(pids[i]);
	return victim_end();
}
