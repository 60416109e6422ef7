/* SPDX-License-Identifier: BSD-3-Clause */
/* signal_overflow.c - signals that were sent when the queue was full are pending as bits alone
 *
 * not: userns (no second user id there)
 */
#include "victim.h"

static void take(int sig)
{
	struct timespec none = { 0, 0 };
	siginfo_t info = { 0 };
	sigset_t only;

	sigemptyset(&only);
	sigaddset(&only, sig);
	check(sigtimedwait(&only, &info, &none) == sig, "signal %d is lost", sig);
	check(info.si_code == SI_USER && info.si_pid == 0, "signal %d: code %d, from %d", sig, info.si_code,
	      info.si_pid);
	check(sigtimedwait(&only, &info, &none) == -1, "signal %d is there twice", sig);
}

int main(void)
{
	struct rlimit none = { 0, 0 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 2);
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, SIGRTMIN + 1);
	must(sigprocmask(SIG_BLOCK, &set, NULL));
	must(setrlimit(RLIMIT_SIGPENDING, &none));
	if (geteuid() == 0) /* who may exceed it */
		can(setresuid(1000, 1000, 1000));
	must(kill(getpid(), SIGRTMIN + 2)); /* the standard signals of kill() always find room */
	must(kill(getpid(), SIGRTMIN + 1));
	must(syscall(SYS_tgkill, getpid(), victim_gettid(), SIGUSR2));
	victim_ready();
	victim_wait();
	take(SIGRTMIN + 2);
	take(SIGUSR2);
	take(SIGRTMIN + 1);
	return victim_end();
}
