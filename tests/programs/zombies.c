/* SPDX-License-Identifier: BSD-3-Clause */
/* zombies.c - children that ended and were not reaped keep how they ended, and whose they were */
#include "victim.h"

static const struct {
	int code;      /* exit status, or */
	int killed_by; /* signal */
} ends[] = { { 0, 0 }, { 7, 0 }, { 255, 0 }, { 0, SIGKILL }, { 0, SIGTERM }, { 0, SIGALRM } };

#define OTHER_USER 1000 /* the last one */

static pid_t pids[COUNT(ends)];
static uid_t uids[COUNT(ends)];

static void verify(size_t i)
{
	siginfo_t info = { 0 };
	char name[64];

	snprintf(name, sizeof(name), "zombie %zu", i);
	check(waitid(P_PID, (id_t)pids[i], &info, WEXITED | WNOWAIT) == 0, "%s: %s", name, strerror(errno));
	check(info.si_pid == pids[i], "%s: si_pid %d, expected %d", name, info.si_pid, pids[i]);
	check(info.si_code == (ends[i].killed_by ? CLD_KILLED : CLD_EXITED), "%s: si_code %d", name, info.si_code);
	check(info.si_status == ends[i].code + ends[i].killed_by, "%s: status %d", name, info.si_status);
	check(info.si_uid == uids[i], "%s: si_uid %u, expected %u", name, info.si_uid, uids[i]);
	check(waitpid(pids[i], NULL, 0) == pids[i], "%s cannot be reaped: %s", name, strerror(errno));
}

int main(void)
{
	struct rlimit no_core = { 0, 0 };

	must(setrlimit(RLIMIT_CORE, &no_core));
	for (size_t i = 0; i < COUNT(ends); i++) {
		pids[i] = must(fork());
		if (pids[i])
			continue;
		prctl(PR_SET_NAME, "a zombie");
		if (i == COUNT(ends) - 1 && getuid() == 0 && setgid(OTHER_USER) == 0)
			(void)!setuid(OTHER_USER);
		if (ends[i].killed_by)
			raise(ends[i].killed_by);
		_exit(ends[i].code);
	}
	for (size_t i = 0; i < COUNT(ends); i++) {
		siginfo_t info = { 0 };

		victim_await_state(pids[i], 'Z');
		must(waitid(P_PID, (id_t)pids[i], &info, WEXITED | WNOWAIT));
		uids[i] = info.si_uid;
	}
	/* Who ignores it from now on still has the zombies of before. */
	must(signal(SIGCHLD, SIG_IGN));
	victim_ready();
	victim_wait();
	for (size_t i = 0; i < COUNT(ends); i++) {
		char path[64], *comm;

		snprintf(path, sizeof(path), "/proc/%d/comm", pids[i]);
		comm = victim_read(path, NULL);
		check(comm && strcmp(comm, "a zombie\n") == 0, "name of zombie %zu: %s", i, comm ? comm : "none");
		free(comm);
		verify(i);
	}
	check(wait(NULL) == -1 && errno == ECHILD, "there are more children than before");
	return victim_end();
}
