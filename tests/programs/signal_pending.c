/* SPDX-License-Identifier: BSD-3-Clause */
/* signal_pending.c - pending signals, of the process and of each thread, with all that came with them */
#include <stdatomic.h>

#include "victim.h"

static pid_t sender;
static uid_t uid;
static sigset_t everything;
static atomic_int here, tids[2];
static atomic_bool sent;

static siginfo_t take(int expected)
{
	struct timespec none = { 0, 0 };
	siginfo_t info = { 0 };
	sigset_t only;
	int sig;

	sigemptyset(&only);
	sigaddset(&only, expected);
	/* The C library would rewrite some codes. */
	sig = (int)syscall(SYS_rt_sigtimedwait, &only, &info, &none, 8);
	check(sig == expected, "signal %d: got %d (%s)", expected, sig, sig < 0 ? strerror(errno) : "");
	return info;
}

static void verify_queued(int sig, int code, int value)
{
	siginfo_t info = take(sig);

	check(info.si_code == code, "signal %d: code: expected %d, got %d", sig, code, info.si_code);
	check(info.si_pid == sender && info.si_uid == uid, "signal %d: from %d, uid %u", sig, info.si_pid, info.si_uid);
	check(info.si_value.sival_int == value, "signal %d: value: expected %d, got %d", sig, value,
	      info.si_value.sival_int);
}

/* Nothing else is pending for this thread (or the process). */
static void verify_empty(const char *who)
{
	struct timespec none = { 0, 0 };
	siginfo_t info;
	int sig = sigtimedwait(&everything, &info, &none);

	check(sig == -1 && errno == EAGAIN, "%s: signal %d more than there should be", who, sig);
}

static int queue(pid_t pid, pid_t tid, int sig, int code, int value)
{
	siginfo_t info = { 0 };

	info.si_signo = sig;
	info.si_code = code;
	info.si_pid = getpid();
	info.si_uid = getuid();
	info.si_value.sival_int = value;
	return tid ? (int)syscall(SYS_rt_tgsigqueueinfo, pid, tid, sig, &info)
		   : (int)syscall(SYS_rt_sigqueueinfo, pid, sig, &info);
}

/* Sends everything and stays, so that its pid stays. */
static void send_all(void *arg)
{
	pid_t to = getppid();

	must(kill(to, SIGUSR1));
	must(queue(to, 0, SIGUSR2, SI_QUEUE, 17));
	for (int i = 0; i < 5; i++) {
		must(queue(to, 0, SIGRTMIN + 3, SI_QUEUE, 100 + i));
		must(queue(to, 0, SIGRTMIN + 1, SI_QUEUE, 200 + i));
	}
	must(queue(to, 0, SIGRTMIN + 5, -60 /* by nobody's convention */, 300));
	must(queue(to, 0, SIGRTMAX, SI_MESGQ, -1));
	for (int t = 0; t < 2; t++) {
		pid_t tid = ((pid_t *)arg)[t];

		must(syscall(SYS_tgkill, to, tid, SIGTERM));
		must(queue(to, tid, SIGHUP, SI_QUEUE, 400 + t));
		for (int i = 0; i < 3; i++)
			must(queue(to, tid, SIGRTMIN + 2, SI_QUEUE, 500 + 10 * t + i));
	}
	victim_here();
	victim_wait();
	victim_sleep_ms(50);
}

static void *thread(void *arg)
{
	int t = (int)(intptr_t)arg;
	siginfo_t info;

	tids[t] = victim_gettid();
	here++;
	while (!sent)
		victim_sleep_ms(1);
	victim_wait();
	info = take(SIGTERM);
	check(info.si_code == SI_TKILL && info.si_pid == sender, "SIGTERM: code %d from %d", info.si_code, info.si_pid);
	verify_queued(SIGHUP, SI_QUEUE, 400 + t);
	for (int i = 0; i < 3; i++)
		verify_queued(SIGRTMIN + 2, SI_QUEUE, 500 + 10 * t + i);
	return NULL;
}

int main(void)
{
	pthread_t threads[2];
	pid_t list[2], ended;
	siginfo_t info;

	uid = getuid();
	sigfillset(&everything);
	must(sigprocmask(SIG_SETMASK, &everything, NULL));
	for (intptr_t i = 0; i < 2; i++)
		must0(pthread_create(&threads[i], NULL, thread, (void *)i));
	while (here < 2)
		victim_sleep_ms(1);
	list[0] = tids[0];
	list[1] = tids[1];
	victim_gate();
	sender = victim_fork(send_all, list);
	victim_all_here(1);
	ended = must(fork());
	if (ended == 0)
		_exit(9);
	victim_await_state(ended, 'Z');
	sent = true;
	victim_ready();
	victim_wait();
	for (int i = 0; i < 2; i++)
		must0(pthread_join(threads[i], NULL));
	info = take(SIGUSR1);
	check(info.si_code == SI_USER && info.si_pid == sender && info.si_uid == uid, "SIGUSR1: code %d from %d",
	      info.si_code, info.si_pid);
	info = take(SIGCHLD);
	check(info.si_code == CLD_EXITED && info.si_pid == ended && info.si_status == 9,
	      "SIGCHLD: code %d, pid %d (not %d), status %d", info.si_code, info.si_pid, ended, info.si_status);
	verify_queued(SIGUSR2, SI_QUEUE, 17);
	for (int i = 0; i < 5; i++)
		verify_queued(SIGRTMIN + 3, SI_QUEUE, 100 + i);
	for (int i = 0; i < 5; i++)
		verify_queued(SIGRTMIN + 1, SI_QUEUE, 200 + i);
	verify_queued(SIGRTMIN + 5, -60, 300);
	verify_queued(SIGRTMAX, SI_MESGQ, -1);
	check(waitpid(ended, NULL, 0) == ended, "the ended child cannot be reaped");
	victim_join(sender);
	sigdelset(&everything, SIGCHLD);
	verify_empty("in the end");
	return victim_end();
}
