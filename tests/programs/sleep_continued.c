/* SPDX-License-Identifier: BSD-3-Clause */
/* sleep_continued.c - a sleep that was interrupted by a stop before: the kernel goes on with restart_syscall
 *
 * As in timeouts.c: four seconds, ready after three.
 *
 * unsettled: all (the child ends by itself under way)
 */
#include "victim.h"

static void child(void *arg)
{
	struct timespec t = { 4, 0 };
	double *elapsed = arg, start = victim_clock();
	long r = syscall(SYS_nanosleep, &t, NULL);

	*elapsed = victim_clock() - start;
	check(r == 0, "nanosleep: %s", strerror(errno));
}

int main(void)
{
	double *elapsed = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	double start = victim_clock(), lost = 0, last, now;
	pid_t pid = victim_fork(child, elapsed);

	victim_await_syscall(pid, pid, SYS_nanosleep);
	for (int i = 0; i < 3; i++) {
		must(kill(pid, SIGSTOP));
		victim_await_state(pid, 'T');
		must(kill(pid, SIGCONT));
		victim_await_syscall(pid, pid, SYS_restart_syscall);
	}
	while (victim_clock() < start + 3)
		victim_sleep_ms(10);
	victim_ready();
	for (last = victim_clock(); !victim_may_go(); last = now) {
		victim_sleep_ms(5);
		now = victim_clock();
		lost += now - last - 0.005;
	}
	victim_join(pid);
	check(*elapsed > 3.95, "nanosleep came back after %.3f s", *elapsed);
	check(*elapsed < 6 + 2 * lost, "nanosleep took %.3f s (%.3f s were lost by others)", *elapsed, lost);
	return victim_end();
}
