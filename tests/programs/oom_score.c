/* SPDX-License-Identifier: BSD-3-Clause */
/* oom_score.c - oom_score_adj; values below that of the parent need a privilege, those above do not */
#include "victim.h"

static long value(void)
{
	char *text = victim_read("/proc/self/oom_score_adj", NULL);
	long v = text ? strtol(text, NULL, 10) : -9999;

	free(text);
	return v;
}

static void child(void *arg)
{
	long expected = (long)(intptr_t)arg;
	int fd = must(open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC));

	must(dprintf(fd, "%ld", expected));
	close(fd);
	victim_here();
	victim_wait();
	check(value() == expected, "oom_score_adj: expected %ld, got %ld", expected, value());
}

int main(void)
{
	long before = value();
	pid_t pids[2];

	victim_gate();
	pids[0] = victim_fork(child, (void *)1000);
	pids[1] = victim_fork(child, (void *)123);
	victim_all_here(2);
	victim_ready();
	victim_wait();
	check(value() == before, "oom_score_adj of the parent: expected %ld, got %ld", before, value());
	victim_join(pids[0]);
	victim_join(pids[1]);
	return victim_end();
}
