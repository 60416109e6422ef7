/* SPDX-License-Identifier: BSD-3-Clause */
/* spawn.c - starts and ends commands and programs
 *
 * This process is the subreaper of all of them: restarted programs become its children, and it is there to
 * take their zombies at once.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

static void __attribute__((noreturn)) exec_command(char *const argv[], bool one_cpu)
{
	cpu_set_t cpus;

	if (one_cpu) {
		CPU_ZERO(&cpus);
		CPU_SET(sched_getcpu(), &cpus);
		sched_setaffinity(0, sizeof(cpus), &cpus);
	}
	execv(argv[0], argv);
	_exit(127);
}

void bench_run(char *const argv[], bool one_cpu, struct bench_result *ret)
{
	uint64_t begin = bench_now_ns();
	struct rusage usage;
	int status;

	pid_t pid = fork();
	if (pid == 0)
		exec_command(argv, one_cpu);
	if (pid < 0)
		bench_die("cannot fork: %s", strerror(errno));
	/* Others that end meanwhile are reaped too: dunlin waits until they are gone. */
	for (;;) {
		pid_t ended = wait4(-1, &status, __WALL, &usage);
		if (ended == pid)
			break;
		if (ended < 0 && errno != EINTR)
			bench_die("cannot wait for %s: %s", argv[0], strerror(errno));
	}
	ret->ns = bench_now_ns() - begin;
	ret->peak_kib = usage.ru_maxrss;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		bench_die("%s %s %s ended with status 0x%x", argv[0], argv[1] ? argv[1] : "",
			  argv[1] && argv[2] ? argv[2] : "", (unsigned int)status);
}

pid_t bench_start(const char *kind, const char *size)
{
	char path[PATH_MAX], c;
	int ready[2];

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 32);
	if (n < 0 || pipe2(ready, O_CLOEXEC) < 0)
		bench_die("cannot start a program: %s", strerror(errno));
	path[n] = '\0';
	strcpy(strrchr(path, '/') + 1, "bench-program");
	pid_t pid = fork();
	if (pid == 0) {
		setsid();
		int null = open("/dev/null", O_RDWR);
		for (int fd = 0; fd < 3; fd++)
			dup2(null, fd);
		dup2(ready[1], 3);
		close_range(4, ~0U, 0);
		execl(path, path, kind, size, (char *)NULL);
		_exit(127);
	}
	close(ready[1]);
	if (pid < 0 || read(ready[0], &c, 1) != 1)
		bench_die("%s %s %s did not get ready", path, kind, size);
	close(ready[0]);
	return pid;
}

void bench_end(pid_t session)
{
	kill(-session, SIGKILL);
	while (waitpid(-session, NULL, __WALL) > 0 || errno == EINTR)
		;
}
