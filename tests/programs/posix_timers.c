/* SPDX-License-Identifier: BSD-3-Clause */
/* posix_timers.c - POSIX timers: ids with gaps, all notifications, what remains, overruns */
#include "victim.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

#define TIMERS 12

static int ids[TIMERS];
static const clockid_t clocks[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_TAI };

/* The kernel's own ids: glibc's timer_t may be something else. */
static int create(clockid_t clock, struct sigevent *event)
{
	int id = -1;

	must(syscall(SYS_timer_create, clock, event, &id));
	return id;
}

static void set(int id, double value, double interval)
{
	struct itimerspec t = { { (time_t)interval, (long)((interval - (time_t)interval) * 1e9) },
				{ (time_t)value, (long)((value - (time_t)value) * 1e9) } };

	must(syscall(SYS_timer_settime, id, 0, &t, NULL));
}

static double seconds(struct timespec t)
{
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static siginfo_t take(int sig, int timeout)
{
	struct timespec t = { timeout, 0 };
	siginfo_t info = { 0 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	check(sigtimedwait(&set, &info, &t) == sig, "signal %d of a timer: %s", sig, strerror(errno));
	return info;
}

int main(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	int plain, idle, thread_timer, fast, soon, again;
	double since;
	sigset_t mask;
	siginfo_t info;

	sigfillset(&mask);
	must(sigprocmask(SIG_SETMASK, &mask, NULL));
	for (int i = 0; i < TIMERS; i++) {
		event.sigev_value.sival_int = 1000 + i;
		ids[i] = create(clocks[(size_t)i % COUNT(clocks)], &event);
	}
	for (int i = 0; i < TIMERS; i += 3) {
		must(syscall(SYS_timer_delete, ids[i]));
		ids[i] = -1;
	}
	event.sigev_notify = SIGEV_NONE;
	plain = create(CLOCK_MONOTONIC, &event);
	idle = create(CLOCK_PROCESS_CPUTIME_ID, NULL);
	event.sigev_notify = SIGEV_THREAD_ID;
	event.sigev_signo = SIGRTMIN + 2;
	event.sigev_notify_thread_id = victim_gettid();
	event.sigev_value.sival_ptr = (void *)0x1234567890ul;
	thread_timer = create(CLOCK_MONOTONIC, &event);
	event.sigev_notify = SIGEV_SIGNAL;
	event.sigev_signo = SIGRTMIN + 3;
	fast = create(CLOCK_MONOTONIC, &event);
	event.sigev_signo = SIGUSR2;
	event.sigev_value.sival_int = 4242;
	soon = create(CLOCK_REALTIME, &event);

	since = victim_clock();
	for (int i = 0; i < TIMERS; i++)
		if (ids[i] >= 0)
			set(ids[i], 1000 + i, i % 2 ? 0 : i + 0.5);
	set(plain, 0.3, 0.01);
	set(thread_timer, 2, 0);
	/* Has fired long since, and many times more than the one signal that is pending. */
	set(fast, 0.001, 0.001);
	set(soon, 3, 0);
	victim_sleep_ms(50);
	victim_ready();
	victim_wait();

	for (int i = 0; i < TIMERS; i++) {
		struct itimerspec t = { 0 };
		double passed = victim_clock() - since;
		long r;

		if (ids[i] < 0) {
			check(syscall(SYS_timer_gettime, i - i % 3 + ids[1] - 1, &t) == -1, "deleted timer %d is there",
			      i);
			continue;
		}
		r = syscall(SYS_timer_gettime, ids[i], &t);
		check(r == 0, "timer %d (id %d): %s", i, ids[i], strerror(errno));
		check(seconds(t.it_value) <= 1000 + i && seconds(t.it_value) > 1000 + i - passed - 5,
		      "timer %d: %.3f s of %d remain after %.3f s", i, seconds(t.it_value), 1000 + i, passed);
		check(seconds(t.it_interval) == (i % 2 ? 0 : i + 0.5), "timer %d: interval %.3f", i,
		      seconds(t.it_interval));
	}
	info = take(SIGRTMIN + 3, 30);
	check(info.si_code == SI_TIMER && info.si_timerid == fast, "fast timer: code %d, id %d, expected %d",
	      info.si_code, info.si_timerid, fast);
	check(info.si_overrun > 0, "fast timer: overrun %d", info.si_overrun);
	check(syscall(SYS_timer_getoverrun, fast) == info.si_overrun, "fast timer: overruns %ld, in the signal %d",
	      syscall(SYS_timer_getoverrun, fast), info.si_overrun);
	info = take(SIGRTMIN + 3, 30);
	check(info.si_code == SI_TIMER && info.si_timerid == fast, "fast timer: it does not go on");
	info = take(SIGRTMIN + 2, 60);
	check(info.si_code == SI_TIMER && info.si_timerid == thread_timer &&
		      info.si_value.sival_ptr == (void *)0x1234567890ul,
	      "timer of the thread: code %d, id %d, value %p", info.si_code, info.si_timerid, info.si_value.sival_ptr);
	info = take(SIGUSR2, 60);
	check(info.si_code == SI_TIMER && info.si_timerid == soon && info.si_value.sival_int == 4242,
	      "last timer: code %d, id %d, value %d", info.si_code, info.si_timerid, info.si_value.sival_int);
	{
		struct itimerspec t = { 0 };

		check(syscall(SYS_timer_gettime, plain, &t) == 0 && seconds(t.it_interval) == 0.01 &&
			      seconds(t.it_value) > 0,
		      "silent timer: %.3f s, interval %.3f", seconds(t.it_value), seconds(t.it_interval));
		check(syscall(SYS_timer_gettime, idle, &t) == 0 && seconds(t.it_value) == 0, "idle timer: %.3f s",
		      seconds(t.it_value));
	}
	/* A new one takes no id that is in use. */
	again = create(CLOCK_MONOTONIC, NULL);
	for (int i = 0; i < TIMERS; i++)
		check(again != ids[i], "a new timer got the id of timer %d", i);
	check(again > soon, "a new timer got id %d, after %d", again, soon);
	return victim_end();
}
