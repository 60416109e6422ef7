/* SPDX-License-Identifier: BSD-3-Clause */
/* blocked_signal.c - pause, sigsuspend and sigwaitinfo, and what they leave of the signal mask */
#include "blocked.h"

static volatile sig_atomic_t caught[NSIG];

static void handler(int sig)
{
	caught[sig]++;
}

static void run_pause(struct blocked *b)
{
	check(pause() == -1 && errno == EINTR, "pause: %s", strerror(errno));
	check(caught[SIGUSR1] == 1, "pause ended, and no handler ran");
}

static void run_suspend(struct blocked *b)
{
	sigset_t mask, now;

	sigfillset(&mask);
	must0(pthread_sigmask(SIG_SETMASK, &mask, NULL));
	sigdelset(&mask, SIGUSR2);
	check(sigsuspend(&mask) == -1 && errno == EINTR, "sigsuspend: %s", strerror(errno));
	check(caught[SIGUSR2] == 1, "sigsuspend ended, and no handler ran");
	must0(pthread_sigmask(SIG_SETMASK, NULL, &now));
	check(sigismember(&now, SIGUSR2) == 1, "after sigsuspend its mask stayed");
}

static void run_wait(struct blocked *b)
{
	sigset_t mask;
	siginfo_t info = { 0 };
	int sig;

	sigemptyset(&mask);
	sigaddset(&mask, SIGRTMIN + 4);
	sigaddset(&mask, SIGRTMIN + 5);
	must0(pthread_sigmask(SIG_BLOCK, &mask, NULL));
	sig = sigwaitinfo(&mask, &info);
	check(sig == SIGRTMIN + 5, "sigwaitinfo: got %d (%s)", sig, strerror(errno));
	check(info.si_code == SI_QUEUE && info.si_value.sival_int == 4711, "sigwaitinfo: code %d, value %d",
	      info.si_code, info.si_value.sival_int);
}

static struct blocked all[] = {
	{ "pause", SYS_pause, run_pause },
	{ "sigsuspend", SYS_rt_sigsuspend, run_suspend },
	{ "sigwaitinfo", SYS_rt_sigtimedwait, run_wait },
};

int main(void)
{
	union sigval value = { .sival_int = 4711 };

	signal(SIGUSR1, handler);
	signal(SIGUSR2, handler);
	blocked_start(all, COUNT(all));
	victim_ready();
	victim_wait();
	must0(pthread_kill(all[0].thread, SIGUSR1));
	must0(pthread_kill(all[1].thread, SIGUSR2));
	must0(pthread_sigqueue(all[2].thread, SIGRTMIN + 5, value));
	blocked_join(all, COUNT(all));
	return victim_end();
}
