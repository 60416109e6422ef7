/* SPDX-License-Identifier: BSD-3-Clause */
/* refuse_traced.c - a process that another one traces
 *
 * refused: trace
 * unsettled: status (it has a tracer)
 */
#include <sys/ptrace.h>

#include "victim.h"

static int until[2];

/* It must not end before the parent has stopped it: the parent decides. */
static void child(void *arg)
{
	char c;

	close(until[1]);
	victim_here();
	check(read(until[0], &c, 1) == 0, "read: %s", strerror(errno));
}

int main(void)
{
	int status;
	pid_t pid;

	must(pipe(until));
	victim_gate();
	pid = victim_fork(child, NULL);
	victim_all_here(1);
	must(ptrace(PTRACE_SEIZE, pid, 0, 0));
	victim_ready();
	victim_wait();
	must(ptrace(PTRACE_INTERRUPT, pid, 0, 0));
	check(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status), "tracing: status %x", status);
	must(ptrace(PTRACE_DETACH, pid, 0, 0));
	close(until[1]);
	victim_join(pid);
	return victim_end();
}
