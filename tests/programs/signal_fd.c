/* SPDX-License-Identifier: BSD-3-Clause */
/* signal_fd.c - signalfds: their sets, signals pending, a reader that waits, one changed after its making */
#include <sys/signalfd.h>

#include "blocked.h"

static int late;

static void run_read(struct blocked *b)
{
	struct signalfd_siginfo info = { 0 };

	check(read(late, &info, sizeof(info)) == sizeof(info) && info.ssi_signo == (uint32_t)SIGRTMIN + 3 &&
		      info.ssi_int == 33,
	      "the blocked reader got signal %u with %d (%s)", info.ssi_signo, info.ssi_int, strerror(errno));
}

static struct blocked all[] = { { "read", SYS_read, run_read } };

static sigset_t set_of(int one, int two)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, one);
	sigaddset(&set, two);
	return set;
}

static void expect(int fd, int sig, int value)
{
	struct signalfd_siginfo info = { 0 };
	ssize_t n = read(fd, &info, sizeof(info));

	check(n == sizeof(info) && info.ssi_signo == (uint32_t)sig && info.ssi_int == value &&
		      info.ssi_pid == (uint32_t)getpid(),
	      "signal %u with %d from %u, not %d with %d", info.ssi_signo, info.ssi_int, info.ssi_pid, sig, value);
}

int main(void)
{
	sigset_t users = set_of(SIGUSR1, SIGUSR2), real = set_of(SIGRTMIN + 1, SIGRTMAX),
		 other = set_of(SIGRTMIN + 3, SIGHUP), full;
	struct signalfd_siginfo info;
	int two, changed;

	sigfillset(&full);
	must(sigprocmask(SIG_BLOCK, &full, NULL));
	two = must(signalfd(-1, &users, SFD_NONBLOCK | SFD_CLOEXEC));
	changed = must(signalfd(-1, &users, SFD_NONBLOCK));
	must(signalfd(changed, &real, 0));
	late = must(signalfd(-1, &other, 0));
	must(sigqueue(getpid(), SIGRTMAX, (union sigval){ .sival_int = 2 }));
	must(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){ .sival_int = 1 }));
	must(sigqueue(getpid(), SIGUSR2, (union sigval){ .sival_int = 9 }));
	blocked_start(all, COUNT(all));
	victim_ready();
	victim_wait();

	check(fcntl(two, F_GETFD) == FD_CLOEXEC && fcntl(two, F_GETFL) & O_NONBLOCK, "the flags");
	expect(two, SIGUSR2, 9);
	expect(changed, SIGRTMIN + 1, 1);
	expect(changed, SIGRTMAX, 2);
	must(sigqueue(getpid(), SIGUSR1, (union sigval){ .sival_int = 4 }));
	check(read(changed, &info, sizeof(info)) == -1 && errno == EAGAIN, "it reads signals of its first set");
	expect(two, SIGUSR1, 4);
	must(sigqueue(getpid(), SIGRTMIN + 3, (union sigval){ .sival_int = 33 }));
	blocked_join(all, COUNT(all));
	return victim_end();
}
