/* SPDX-License-Identifier: BSD-3-Clause */
/* torture_sleep.c - short sleeps and waits of all kinds without end, each of which must end properly
 *
 * unsettled: status (a signal mask comes and goes)
 */
#include <poll.h>
#include <stdatomic.h>
#include <sys/select.h>

#include "victim.h"

static atomic_bool end;
static atomic_long rounds, interrupted;

static const struct timespec brief = { 0, 3000000 };

static void one_nanosleep(void)
{
	struct timespec rest;
	int r = nanosleep(&brief, &rest);

	check(r == 0, "nanosleep: %s", strerror(errno));
}

static void one_until(void)
{
	struct timespec t;
	int r;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_nsec += brief.tv_nsec;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	r = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
	check(r == 0, "clock_nanosleep: %s", strerror(r));
}

static void one_poll(void)
{
	int r = poll(NULL, 0, 3);

	check(r == 0, "poll: got %d (%s)", r, strerror(errno));
}

static void one_pselect(void)
{
	sigset_t mask;
	int r;

	sigfillset(&mask);
	r = pselect(0, NULL, NULL, NULL, &brief, &mask);
	check(r == 0, "pselect: got %d (%s)", r, strerror(errno));
}

static void one_sigwait(void)
{
	sigset_t mask;
	int r;

	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	r = sigtimedwait(&mask, NULL, &brief);
	if (r == -1 && errno == EINTR) {
		interrupted++;
		errno = 0;
		return one_sigwait();
	}
	check(r == -1 && errno == EAGAIN, "sigtimedwait: got %d (%s)", r, strerror(errno));
}

/* The kernel ends sigtimedwait with EINTR after any stop.  dunlin hides that, unless it is killed in the
 * few microseconds before: the file "killed" tells how often it was killed. */
static void check_interrupted(void)
{
	char *killed = victim_read(victim_path("killed"), NULL);

	check(interrupted <= (killed ? atol(killed) : 0), "sigtimedwait was interrupted %ld times", (long)interrupted);
	free(killed);
}

static void one_cond(void)
{
	static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
	struct timespec t;
	int r;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_nsec += brief.tv_nsec;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	must0(pthread_mutex_lock(&mutex));
	r = pthread_cond_timedwait(&cond, &mutex, &t);
	check(r == ETIMEDOUT, "pthread_cond_timedwait: %s", strerror(r));
	must0(pthread_mutex_unlock(&mutex));
}

static void (*const all[])(void) = { one_nanosleep, one_until, one_poll, one_pselect, one_sigwait, one_cond };

static void *thread(void *arg)
{
	while (!end) {
		double start = victim_clock();

		all[(intptr_t)arg]();
		check(victim_clock() - start > 0.0025, "call %ld came back after %.6f s", (long)(intptr_t)arg,
		      victim_clock() - start);
		rounds++;
	}
	return NULL;
}

int main(void)
{
	pthread_t threads[COUNT(all)];

	for (intptr_t i = 0; i < (intptr_t)COUNT(all); i++)
		must0(pthread_create(&threads[i], NULL, thread, (void *)i));
	while (rounds < 20)
		victim_sleep_ms(1);
	victim_ready();
	victim_wait();
	end = true;
	for (size_t i = 0; i < COUNT(all); i++)
		must0(pthread_join(threads[i], NULL));
	check_interrupted();
	return victim_end();
}
