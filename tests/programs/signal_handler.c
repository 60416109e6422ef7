/* SPDX-License-Identifier: BSD-3-Clause */
/* signal_handler.c - handlers at work, one inside another, over a computation and over a system call
 *
 * They return afterwards: registers, signal masks and the interrupted call are as if nothing had been.
 */
#include <stdatomic.h>

#include "victim.h"

static atomic_int here;
static atomic_bool go;
static int leash[2];

static void inner(int sig, siginfo_t *info, void *context)
{
	sigset_t mask;

	here++;
	victim_wait();
	must0(pthread_sigmask(SIG_SETMASK, NULL, &mask));
	check(sigismember(&mask, SIGUSR1) && sigismember(&mask, SIGUSR2), "inner: both signals are blocked");
	check(info->si_signo == SIGUSR2 && info->si_code == SI_TKILL && info->si_pid == getpid(), "inner: siginfo");
}

static void outer(int sig, siginfo_t *info, void *context)
{
	double x = 1.5;
	sigset_t mask;

	raise(SIGUSR2);
	must0(pthread_sigmask(SIG_SETMASK, NULL, &mask));
	check(sigismember(&mask, SIGUSR1) && !sigismember(&mask, SIGUSR2), "outer: only its own signal is blocked");
	check(x * 2 == 3.0, "outer: floating point");
}

static void verify_mask(const char *who)
{
	sigset_t mask;

	must0(pthread_sigmask(SIG_SETMASK, NULL, &mask));
	check(!sigismember(&mask, SIGUSR1) && !sigismember(&mask, SIGUSR2) && sigismember(&mask, SIGWINCH),
	      "%s: the signal mask after the handler", who);
}

static void *computing(void *arg)
{
	uint64_t x = 1;
	double y = 1;

	for (long i = 0; !go || i < 1000000; i++) {
		x = x * 6364136223846793005ul + 1442695040888963407ul;
		y = y * 0.999 + 1;
		if (i == 1000)
			here++;
		/* The same again, checked against itself. */
		if (i % 1000 == 999) {
			uint64_t again = 1;

			for (int k = 0; k < 1000; k++)
				again = again * 6364136223846793005ul + 1442695040888963407ul;
			check(x == again, "computing: %lx, not %lx", x, again);
			x = 1;
			if (go && y < 1000.001 && y > 900)
				break;
		}
	}
	verify_mask("computing");
	return NULL;
}

static void *reading(void *arg)
{
	char c = 0;
	ssize_t n;

	here++;
	n = read(leash[0], &c, 1);
	check(n == 1 && c == 'x', "read under SA_RESTART: got %zd (%s)", n, strerror(errno));
	verify_mask("reading");
	return NULL;
}

static void *sleeping(void *arg)
{
	struct timespec t = { 1000, 0 };
	int r;

	here++;
	r = nanosleep(&t, &t);
	check(r == -1 && errno == EINTR, "nanosleep: got %d (%s)", r, strerror(errno));
	check(t.tv_sec >= 900 && t.tv_sec < 1000, "nanosleep: a rest of %ld s", t.tv_sec);
	verify_mask("sleeping");
	return NULL;
}

int main(void)
{
	void *(*const all[])(void *) = { computing, reading, sleeping };
	struct sigaction action = { .sa_flags = SA_RESTART | SA_SIGINFO };
	pthread_t threads[COUNT(all)];
	sigset_t mask;

	must(pipe(leash));
	action.sa_sigaction = outer;
	must(sigaction(SIGUSR1, &action, NULL));
	action.sa_sigaction = inner;
	must(sigaction(SIGUSR2, &action, NULL));
	sigemptyset(&mask);
	sigaddset(&mask, SIGWINCH);
	must(sigprocmask(SIG_BLOCK, &mask, NULL));
	for (size_t i = 0; i < COUNT(all); i++)
		must0(pthread_create(&threads[i], NULL, all[i], NULL));
	while (here < (int)COUNT(all))
		victim_sleep_ms(1);
	victim_sleep_ms(20);
	for (size_t i = 0; i < COUNT(all); i++)
		must0(pthread_kill(threads[i], SIGUSR1));
	while (here < 2 * (int)COUNT(all))
		victim_sleep_ms(1);
	victim_ready();
	victim_wait();
	go = true;
	must(write(leash[1], "x", 1));
	for (size_t i = 0; i < COUNT(all); i++)
		must0(pthread_join(threads[i], NULL));
	return victim_end();
}
