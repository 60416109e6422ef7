/* SPDX-License-Identifier: BSD-3-Clause */
/* doctor.c - runs the probes, each in a process of its own */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/util.h"
#include "dunlin.h"
#include "probe/probe.h"

#define PROBE_SECONDS 5

/* What comes back through the pipe. */
struct answer {
	int r;
	char detail[DN_PROBE_DETAIL];
};

static void __attribute__((noreturn)) run_and_tell(const struct dn_probe *probe, pid_t parent, int fd)
{
	struct answer a = {};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	/* The caller's handlers are none of ours; a crash must end it. */
	for (int sig = 1; sig < 32; sig++)
		signal(sig, SIG_DFL);
	a.r = probe->run(a.detail);
	_exit(dn_write_full(fd, &a, sizeof(a)) < 0);
}

/* *a becomes what the probe said, or what became of it. */
static void ask(const struct dn_probe *probe, struct answer *a)
{
	pid_t self = getpid();
	int pipes[2], status;

	*a = (struct answer){ .r = -EIO };
	if (pipe2(pipes, O_CLOEXEC) < 0) {
		dn_probe_no(a->detail, errno, "cannot make a pipe");
		return;
	}
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0)
		run_and_tell(probe, self, pipes[1]);
	close(pipes[1]);
	_cleanup_fd_ int fd = pipes[0];
	if (pid < 0) {
		dn_probe_no(a->detail, errno, "cannot fork");
		return;
	}
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	bool told = poll(&wait, 1, PROBE_SECONDS * 1000) > 0;
	bool whole = told && dn_read_full(fd, a, sizeof(*a)) == sizeof(*a);
	kill(pid, SIGKILL);
	pid_t reaped;
	do
		reaped = waitpid(pid, &status, 0);
	while (reaped < 0 && errno == EINTR);
	if (whole) {
		a->detail[DN_PROBE_DETAIL - 1] = '\0';
		return;
	}
	*a = (struct answer){ .r = -EIO };
	if (!told)
		dn_probe_say(a->detail, "no answer in %d s", PROBE_SECONDS);
	else if (reaped == pid && WIFSIGNALED(status))
		dn_probe_say(a->detail, "ended by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		dn_probe_say(a->detail, "ended without an answer");
}

int dn_doctor(void (*fn)(const struct dn_doctor_result *result, void *arg), void *arg)
{
	static const struct dn_probe *const tables[] = { dn_probes_host, dn_probes_process, dn_probes_memory,
							 dn_probes_files };
	int missing = 0;

	for (size_t i = 0; i < DN_ARRAY_LEN(tables); i++) {
		for (const struct dn_probe *p = tables[i]; p->name; p++) {
			struct answer a;
			ask(p, &a);
			struct dn_doctor_result result = {
				.name = p->name,
				.purpose = p->purpose,
				.advice = p->advice,
				.state = a.r == 0		  ? DN_DOCTOR_OK
					 : a.r < 0 && p->required ? DN_DOCTOR_MISSING
								  : DN_DOCTOR_DEGRADED,
			};
			memcpy(result.detail, a.detail, sizeof(result.detail));
			missing += result.state == DN_DOCTOR_MISSING;
			if (fn)
				fn(&result, arg);
		}
	}
	return missing;
}
