/* SPDX-License-Identifier: BSD-3-Clause */
/* timer_fd.c - timerfd: relative, absolute, periodic, expired and not read yet, unarmed, a reader that is blocked */
#include <sys/timerfd.h>

#include "blocked.h"

static int soon;

static double seconds(struct timespec t)
{
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int timer(clockid_t clock, int flags, int settime, struct timespec value, struct timespec interval)
{
	struct itimerspec t = { interval, value };
	int fd = must(timerfd_create(clock, flags));

	must(timerfd_settime(fd, settime, &t, NULL));
	return fd;
}

static struct timespec after(clockid_t clock, time_t s)
{
	struct timespec t;

	must(clock_gettime(clock, &t));
	t.tv_sec += s;
	return t;
}

static void verify(const char *name, int fd, double value, double interval, double since)
{
	double passed = victim_clock() - since;
	struct itimerspec t = { 0 };

	check(timerfd_gettime(fd, &t) == 0, "%s: %s", name, strerror(errno));
	check(seconds(t.it_value) <= value + 0.001 && seconds(t.it_value) > value - passed - 5,
	      "%s: %.3f s of %.3f remain after %.3f s", name, seconds(t.it_value), value, passed);
	check(seconds(t.it_interval) == interval, "%s: interval %.3f, not %.3f", name, seconds(t.it_interval),
	      interval);
}

static void run_read(struct blocked *b)
{
	uint64_t ticks = 0;
	ssize_t n = read(soon, &ticks, sizeof(ticks));

	check(n == sizeof(ticks) && ticks == 1, "blocked reader: got %zd (%s), %lu ticks", n, strerror(errno), ticks);
}

static struct blocked all[] = { { "read", SYS_read, run_read } };

int main(void)
{
	struct timespec none = { 0, 0 }, half = { 0, 500000000 }, fast = { 0, 1000000 }, thousand = { 1000, 0 },
			two = { 2, 0 };
	double since = victim_clock();
	int relative = timer(CLOCK_MONOTONIC, TFD_CLOEXEC, 0, thousand, none);
	int periodic = timer(CLOCK_BOOTTIME, 0, 0, thousand, half);
	int absolute = timer(CLOCK_REALTIME, TFD_NONBLOCK, TFD_TIMER_ABSTIME, after(CLOCK_REALTIME, 2000), none);
	int unarmed = timer(CLOCK_MONOTONIC, TFD_NONBLOCK, 0, none, none);
	int once = timer(CLOCK_MONOTONIC, TFD_NONBLOCK, 0, fast, none);
	int many = timer(CLOCK_MONOTONIC, TFD_NONBLOCK, 0, fast, fast);
	int twin = must(dup(periodic));
	uint64_t ticks;

	soon = timer(CLOCK_MONOTONIC, 0, 0, two, none);
	victim_sleep_ms(30);
	blocked_start(all, COUNT(all));
	victim_ready();
	victim_wait();
	verify("relative", relative, 1000, 0, since);
	verify("periodic", periodic, 1000, 0.5, since);
	verify("absolute", absolute, 2000, 0, since);
	verify("duplicate", twin, 1000, 0.5, since);
	ticks = 0;
	check(read(once, &ticks, 8) == 8 && ticks == 1, "expired once: %lu ticks", ticks);
	check(read(once, &ticks, 8) == -1 && errno == EAGAIN, "expired once: it fired again");
	check(read(many, &ticks, 8) == 8 && ticks >= 20, "expired many times: %lu ticks", ticks);
	for (int i = 0; i < 20000 && read(many, &ticks, 8) == -1; i++)
		victim_sleep_ms(1);
	check(ticks > 0, "the periodic one does not go on");
	check(read(unarmed, &ticks, 8) == -1 && errno == EAGAIN, "the unarmed one fired");
	check(fcntl(relative, F_GETFD) == FD_CLOEXEC && fcntl(periodic, F_GETFD) == 0, "close-on-exec flags");
	check((fcntl(absolute, F_GETFL) & O_NONBLOCK) && !(fcntl(relative, F_GETFL) & O_NONBLOCK), "O_NONBLOCK");
	blocked_join(all, COUNT(all));
	return victim_end();
}
