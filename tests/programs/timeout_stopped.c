/* SPDX-License-Identifier: BSD-3-Clause */
/* timeout_stopped.c - sleeps of a stopped process end as if there had been no checkpoint
 *
 * SIGSTOP came in mid-sleep.  When the sleep began only the kernel knows, and nothing tells it.
 *
 * not: restart foreground twice again pipe userns (an image has the time that was left at the stop, at most)
 */
#include <poll.h>

#include "victim.h"

#define SECONDS 3
#define STOPPED_AFTER_MS 2000

static void sleeper(void *arg)
{
	struct timespec t = { SECONDS, 0 };
	double start, elapsed;

	victim_here();
	start = victim_clock();
	if (arg)
		check(poll(NULL, 0, SECONDS * 1000) == 0, "poll: %s", strerror(errno));
	else
		check(syscall(SYS_nanosleep, &t, NULL) == 0, "nanosleep: %s", strerror(errno));
	elapsed = victim_clock() - start;
	check(elapsed >= SECONDS && elapsed < SECONDS + STOPPED_AFTER_MS / 2000.0, "%s took %.2f s instead of %d",
	      arg ? "poll" : "nanosleep", elapsed, SECONDS);
}

int main(void)
{
	pid_t pids[2];

	victim_gate();
	for (size_t i = 0; i < COUNT(pids); i++)
		pids[i] = victim_fork(sleeper, (void *)i);
	victim_all_here(COUNT(pids));
	victim_sleep_ms(STOPPED_AFTER_MS);
	for (size_t i = 0; i < COUNT(pids); i++) {
		must(kill(pids[i], SIGSTOP));
		victim_await_state(pids[i], 'T');
	}
	victim_ready();
	victim_wait();
	for (size_t i = 0; i < COUNT(pids); i++)
		must(kill(pids[i], SIGCONT));
	for (size_t i = 0; i < COUNT(pids); i++)
		victim_join(pids[i]);
	return victim_end();
}
