/* SPDX-License-Identifier: BSD-3-Clause */
/* epoll_signals.c - epolls that watch signalfds, of two processes; a pidfd and a one-shot that fired beside them */
#include <sys/epoll.h>
#include <sys/signalfd.h>

#include "victim.h"

enum { SIGNALS = 1, CHILD, FIRED };

static int epoll, signals;

static void watch(int fd, uint32_t events, uint64_t data)
{
	struct epoll_event event = { .events = events, .data.u64 = data };

	must(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
}

static void make_signals(int sig)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	must(sigprocmask(SIG_BLOCK, &set, NULL));
	signals = must(signalfd(-1, &set, SFD_NONBLOCK));
	watch(signals, EPOLLIN, SIGNALS);
}

/* The next event, which must be that one. */
static void expect(const char *what, uint64_t data)
{
	struct epoll_event event = { 0 };
	int n = epoll_wait(epoll, &event, 1, 10000);

	check(n == 1 && event.data.u64 == data, "%s: got %d, %lu", what, n, event.data.u64);
}

static void expect_signal(int sig)
{
	struct signalfd_siginfo info = { 0 };

	expect("signal", SIGNALS);
	check(read(signals, &info, sizeof(info)) == sizeof(info) && info.ssi_signo == (uint32_t)sig,
	      "signal %u, not %d", info.ssi_signo, sig);
}

static void child(void *arg)
{
	epoll = must(epoll_create1(0));
	make_signals(SIGUSR2);
	must(raise(SIGUSR2)); /* pending all the time */
	victim_here();
	victim_wait();
	expect_signal(SIGUSR2);
	must(kill(getppid(), SIGUSR1));
	victim_sleep_ms(50);
	must(raise(SIGUSR2));
	expect_signal(SIGUSR2);
}

int main(void)
{
	struct epoll_event event;
	int pipes[2];
	pid_t pid;

	epoll = must(epoll_create1(EPOLL_CLOEXEC));
	make_signals(SIGUSR1);
	must(pipe(pipes));
	watch(pipes[0], EPOLLIN | EPOLLONESHOT, FIRED);
	must(write(pipes[1], "x", 1));
	expect("one-shot", FIRED);
	victim_gate();
	pid = victim_fork(child, NULL);
	victim_all_here(1);
	watch((int)can(syscall(SYS_pidfd_open, pid, 0)), EPOLLIN, CHILD);
	victim_ready();
	victim_wait();
	expect_signal(SIGUSR1);
	check(epoll_wait(epoll, &event, 1, 0) == 0, "something else is ready: %lu", event.data.u64);
	expect("the end of the child", CHILD);
	victim_join(pid);
	return victim_end();
}
