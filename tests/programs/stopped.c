/* SPDX-License-Identifier: BSD-3-Clause */
/* stopped.c - stopped children stay stopped, and tell their parent about it as often as before */
#include "victim.h"

static const int signals[] = { SIGSTOP, SIGTSTP, SIGTTIN, SIGSTOP };
static pid_t pids[COUNT(signals)];

static int leash[2];

static void child(void *arg)
{
	volatile int value = 77;
	char c;

	close(leash[1]);
	/* In a group of its own, because job control signals do not stop an orphaned one. */
	must(setpgid(0, 0));
	raise(signals[(intptr_t)arg]);
	/* The parent wants to see that it goes on before it sees its end. */
	check(read(leash[0], &c, 1) == 0, "reading the pipe: %s", strerror(errno));
	check(value == 77, "value: expected 77, got %d", value);
}

int main(void)
{
	int status;

	must(pipe(leash));
	for (size_t i = 0; i < COUNT(signals); i++) {
		pids[i] = victim_fork(child, (void *)(intptr_t)i);
		victim_await_state(pids[i], 'T');
	}
	/* The stop of the first is taken note of already; of the others, not yet. */
	must(waitpid(pids[0], &status, WUNTRACED));
	check(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP, "child 0: status %x", status);
	victim_ready();
	victim_wait();
	victim_sleep_ms(50);
	for (size_t i = 0; i < COUNT(signals); i++) {
		victim_await_state(pids[i], 'T');
		status = -1;
		if (i == 0) {
			check(waitpid(pids[i], &status, WUNTRACED | WNOHANG) == 0, "child 0 told its stop again");
		} else {
			check(waitpid(pids[i], &status, WUNTRACED | WNOHANG) == pids[i], "child %zu is not stopped", i);
			check(WIFSTOPPED(status) && WSTOPSIG(status) == signals[i], "child %zu: status %x", i, status);
		}
	}
	for (size_t i = 0; i < COUNT(signals); i++) {
		must(kill(pids[i], SIGCONT));
		check(waitpid(pids[i], &status, WCONTINUED) == pids[i], "child %zu: %s", i, strerror(errno));
		check(WIFCONTINUED(status), "child %zu: status %x after SIGCONT", i, status);
	}
	close(leash[1]);
	for (size_t i = 0; i < COUNT(signals); i++)
		victim_join(pids[i]);
	return victim_end();
}
