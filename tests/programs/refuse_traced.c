/* SPDX-License-Identifier: BSD-3-Clause */
/* refuse_traced.c - a process that another one traces
 *
 * refused: trace
 * unsettled: status (it has a tracer)
 */
#include <sys/ptrace.h>

#include "victim.h"

static void child(void *arg)
{
	victim_here();
	victim_wait();
}

int main(void)
{
	int status;
	pid_t pid;

	victim_gate();
	pid = victim_fork(child, NULL);
	victim_all_here(1);
	must(ptrace(PTRACE_SEIZE, pid, 0, 0));
	victim_ready();
	victim_wait();
	must(ptrace(PTRACE_INTERRUPT, pid, 0, 0));
	check(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status), "tracing: status %x", status);
	must(ptrace(PTRACE_DETACH, pid, 0, 0));
	victim_join(pid);
	return victim_end();
}
