/* SPDX-License-Identifier: BSD-3-Clause */
/* timeouts.c - every system call that can wait for a while: neither shorter, nor from the start again, nor EINTR
 *
 * All calls wait for four seconds, and the program says that it is ready after three of them: a call that
 * starts anew takes seven.  Time in which the main thread could not run is granted to all.
 *
 * unsettled: all (calls end by themselves under way)
 */
#include <linux/futex.h>
#include <poll.h>
#include <sys/ipc.h>
#include <sys/select.h>
#include <sys/sem.h>

#include "blocked.h"

#define SECONDS 4

static const struct timespec wait_for = { SECONDS, 0 };
static int sem;

static struct timespec deadline(clockid_t clock)
{
	struct timespec t;

	must(clock_gettime(clock, &t));
	t.tv_sec += SECONDS;
	return t;
}

static void run_sleep(struct blocked *b)
{
	struct timespec rest;
	int r = syscall(SYS_nanosleep, &wait_for, &rest) ? errno : 0;

	check(r == 0, "%s: %s", b->name, strerror(r));
}

static void run_clock_sleep(struct blocked *b)
{
	int r = clock_nanosleep(b->argument, 0, &wait_for, NULL);

	check(r == 0, "%s: %s", b->name, strerror(r));
}

static void run_clock_until(struct blocked *b)
{
	struct timespec t = deadline(b->argument);
	int r = clock_nanosleep(b->argument, TIMER_ABSTIME, &t, NULL);

	check(r == 0, "%s: %s", b->name, strerror(r));
}

static void run_futex(struct blocked *b)
{
	static uint32_t word;
	bool relative = b->argument == FUTEX_WAIT_PRIVATE;
	struct timespec t =
		relative ? wait_for : deadline(b->argument & FUTEX_CLOCK_REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC);
	long r = syscall(SYS_futex, &word, b->argument, 0, &t, NULL, 1);

	check(r == -1 && errno == ETIMEDOUT, "%s: got %ld (%s)", b->name, r, strerror(errno));
}

static void run_poll(struct blocked *b)
{
	int r = poll(NULL, 0, SECONDS * 1000);

	check(r == 0, "%s: got %d (%s)", b->name, r, strerror(errno));
}

static void run_ppoll(struct blocked *b)
{
	sigset_t mask;
	int r;

	sigfillset(&mask);
	r = ppoll(NULL, 0, &wait_for, &mask);
	check(r == 0, "%s: got %d (%s)", b->name, r, strerror(errno));
}

static void run_select(struct blocked *b)
{
	struct timeval t = { SECONDS, 0 };
	long r = syscall(SYS_select, 0, NULL, NULL, NULL, &t);

	check(r == 0, "%s: got %ld (%s)", b->name, r, strerror(errno));
	check(t.tv_sec == 0 && t.tv_usec == 0, "%s: a rest of %ld.%06ld s", b->name, t.tv_sec, t.tv_usec);
}

static void run_pselect(struct blocked *b)
{
	int r = pselect(0, NULL, NULL, NULL, &wait_for, NULL);

	check(r == 0, "%s: got %d (%s)", b->name, r, strerror(errno));
}

static void run_sigtimedwait(struct blocked *b)
{
	sigset_t mask;
	int r;

	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	must0(pthread_sigmask(SIG_BLOCK, &mask, NULL));
	r = sigtimedwait(&mask, NULL, &wait_for);
	check(r == -1 && errno == EAGAIN, "%s: got %d (%s)", b->name, r, strerror(errno));
}

static void run_semtimedop(struct blocked *b)
{
	struct sembuf down = { 0, -1, 0 };
	int r = semtimedop(sem, &down, 1, &wait_for);

	check(r == -1 && errno == EAGAIN, "%s: got %d (%s)", b->name, r, strerror(errno));
}

static void run_cond(struct blocked *b)
{
	static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
	struct timespec t = deadline(CLOCK_REALTIME);
	int r;

	must0(pthread_mutex_lock(&mutex));
	r = pthread_cond_timedwait(&cond, &mutex, &t);
	check(r == ETIMEDOUT, "%s: %s", b->name, strerror(r));
	must0(pthread_mutex_unlock(&mutex));
}

static struct blocked all[] = {
	{ "nanosleep", SYS_nanosleep, run_sleep },
	{ "clock_nanosleep monotonic", SYS_clock_nanosleep, run_clock_sleep, CLOCK_MONOTONIC },
	{ "clock_nanosleep realtime", SYS_clock_nanosleep, run_clock_sleep, CLOCK_REALTIME },
	{ "clock_nanosleep boottime", SYS_clock_nanosleep, run_clock_sleep, CLOCK_BOOTTIME },
	{ "clock_nanosleep until, monotonic", SYS_clock_nanosleep, run_clock_until, CLOCK_MONOTONIC },
	{ "clock_nanosleep until, realtime", SYS_clock_nanosleep, run_clock_until, CLOCK_REALTIME },
	{ "clock_nanosleep until, boottime", SYS_clock_nanosleep, run_clock_until, CLOCK_BOOTTIME },
	{ "futex", SYS_futex, run_futex, FUTEX_WAIT_PRIVATE },
	{ "futex until, monotonic", SYS_futex, run_futex, FUTEX_WAIT_BITSET_PRIVATE },
	{ "futex until, realtime", SYS_futex, run_futex, FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME },
	{ "poll", SYS_poll, run_poll },
	{ "ppoll", SYS_ppoll, run_ppoll },
	{ "select", SYS_select, run_select },
	{ "pselect", SYS_pselect6, run_pselect },
	{ "sigtimedwait", SYS_rt_sigtimedwait, run_sigtimedwait },
	{ "semtimedop", SYS_semtimedop, run_semtimedop },
	{ "pthread_cond_timedwait", SYS_futex, run_cond },
};

int main(void)
{
	double lost = 0, last, now;

	sem = must(semget(IPC_PRIVATE, 1, 0600));
	blocked_start(all, COUNT(all));
	victim_sleep_ms((SECONDS - 1) * 1000);
	victim_ready();
	for (last = victim_clock(); !victim_may_go(); last = now) {
		victim_sleep_ms(5);
		now = victim_clock();
		lost += now - last - 0.005;
	}
	blocked_join(all, COUNT(all));
	must(semctl(sem, 0, IPC_RMID));
	for (size_t i = 0; i < COUNT(all); i++) {
		/* The clocks run at slightly different rates when one is being adjusted. */
		check(all[i].elapsed > SECONDS - 0.05, "%s: came back after %.3f s", all[i].name, all[i].elapsed);
		check(all[i].elapsed < SECONDS + 2 + 2 * lost, "%s: took %.3f s (%.3f s were lost by others)",
		      all[i].name, all[i].elapsed, lost);
	}
	return victim_end();
}
