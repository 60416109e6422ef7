/* SPDX-License-Identifier: BSD-3-Clause */
/* pid_fd.c - pidfds: of oneself, of a child, of the parent, of a thread, of a zombie, of processes that are gone */
#include <poll.h>
#include <stdatomic.h>

#include "victim.h"

#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL /* Linux 6.9 */
#endif

static int open_pid(pid_t pid, unsigned int flags)
{
	return (int)syscall(SYS_pidfd_open, pid, flags);
}

static int is_ready(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0);
}

static int refers_to(int fd, pid_t pid)
{
	char path[64], *text, *at;
	int found = -2;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	text = victim_read(path, NULL);
	at = text ? strstr(text, "\nPid:") : NULL;
	if (at)
		found = atoi(at + 5);
	free(text);
	return found == pid;
}

static int parent_fd;

static void child(void *arg)
{
	victim_here();
	victim_wait();
	check(refers_to(parent_fd, getppid()), "the parent's pidfd does not lead to the parent");
	check(syscall(SYS_pidfd_send_signal, parent_fd, SIGUSR1, NULL, 0) == 0, "the parent cannot be signalled: %s",
	      strerror(errno));
}

static void end(void *arg)
{
	_exit((int)(intptr_t)arg);
}

static atomic_int tid, verified;

static void *thread(void *arg)
{
	tid = victim_gettid();
	while (!verified)
		victim_sleep_ms(1);
	return NULL;
}

int main(void)
{
	int of_child, of_zombie, of_gone, of_thread, twin;
	pid_t pid, zombie, gone;
	pthread_t other;
	sigset_t mask;
	siginfo_t info;

	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	must(sigprocmask(SIG_BLOCK, &mask, NULL));
	parent_fd = (int)can(open_pid(getpid(), 0));
	victim_gate();
	pid = victim_fork(child, NULL);
	victim_all_here(1);
	of_child = must(open_pid(pid, O_NONBLOCK));
	twin = must(dup(of_child));
	gone = victim_fork(end, (void *)3);
	of_gone = must(open_pid(gone, 0));
	must(waitpid(gone, NULL, 0));
	zombie = victim_fork(end, (void *)4);
	of_zombie = must(open_pid(zombie, 0));
	victim_await_state(zombie, 'Z');
	must0(pthread_create(&other, NULL, thread, NULL));
	while (!tid)
		victim_sleep_ms(1);
	of_thread = open_pid(tid, PIDFD_THREAD);
	victim_ready();
	victim_wait();

	check(refers_to(parent_fd, getpid()) && !is_ready(parent_fd), "the own pidfd");
	check(refers_to(of_child, pid) && refers_to(twin, pid), "the child's pidfd");
	check(fcntl(of_child, F_GETFL) & O_NONBLOCK && !(fcntl(parent_fd, F_GETFL) & O_NONBLOCK), "O_NONBLOCK");
	check(of_thread < 0 || refers_to(of_thread, tid), "the thread's pidfd");
	verified = 1;
	check(is_ready(of_gone) == 1 && refers_to(of_gone, -1), "the one of a process that is gone");
	check(syscall(SYS_pidfd_send_signal, of_gone, 0, NULL, 0) == -1 && errno == ESRCH,
	      "a signal to one that is gone");
	check(refers_to(of_zombie, zombie) && is_ready(of_zombie) == 1, "the zombie's pidfd");
	memset(&info, 0, sizeof(info));
	check(waitid(P_PIDFD, (id_t)of_zombie, &info, WEXITED) == 0 && info.si_pid == zombie && info.si_status == 4,
	      "waiting for the zombie: %s", strerror(errno));
	check(sigwaitinfo(&mask, &info) == SIGUSR1 && info.si_pid == pid, "the child's signal");
	victim_join(pid);
	check(is_ready(of_child) == 1, "the child's pidfd does not tell of its end");
	must0(pthread_join(other, NULL));
	return victim_end();
}
