/* SPDX-License-Identifier: BSD-3-Clause */
/* victim.c - the frame of a self-checking program */
#include "victim.h"

#include <poll.h>
#include <stdarg.h>

static char directory[1024];
static int failures;
static pid_t first;
static int gate[2] = { -1, -1 };

__attribute__((constructor)) static void victim_start(void)
{
	const char *d = getenv("VICTIM_DIR");

	if (d && strlen(d) < sizeof(directory) - 64)
		strcpy(directory, d);
	first = getpid();
}

const char *victim_dir(void)
{
	return directory[0] ? directory : NULL;
}

const char *victim_path(const char *name)
{
	static __thread char paths[4][sizeof(directory) + 256];
	static __thread unsigned int next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", directory[0] ? directory : "/tmp", name);
	return path;
}

/* One line to standard error and, where it is, to a file of $VICTIM_DIR. */
static void note(const char *name, const char *line)
{
	int fd;

	(void)!write(2, line, strlen(line));
	if (!directory[0])
		return;
	fd = open(victim_path(name), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	if (fd < 0)
		return;
	(void)!write(fd, line, strlen(line));
	close(fd);
}

void victim_fail(const char *file, int line, const char *fmt, ...)
{
	const char *slash = strrchr(file, '/');
	char text[1024];
	va_list ap;
	size_t len;

	len = (size_t)snprintf(text, sizeof(text), "%s:%d: [%d] ", slash ? slash + 1 : file, line, victim_gettid());
	va_start(ap, fmt);
	vsnprintf(text + len, sizeof(text) - len - 1, fmt, ap);
	va_end(ap);
	strcat(text, "\n");
	/* A broken loop of checks must not fill the disk. */
	if (__atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED) < 100)
		note("failures", text);
}

void victim_give_up(const char *file, int line, const char *what)
{
	victim_fail(file, line, "%s: %s", what, strerror(errno));
	_exit(victim_end());
}

void victim_skip(const char *fmt, ...)
{
	char text[1024] = "skipped: ";
	size_t len = strlen(text);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text + len, sizeof(text) - len - 1, fmt, ap);
	va_end(ap);
	strcat(text, "\n");
	note("result", text);
	_exit(VICTIM_SKIP);
}

void victim_ready(void)
{
	char text[32];
	int fd;

	if (!directory[0])
		return;
	fd = must(open(victim_path("ready.tmp"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
	snprintf(text, sizeof(text), "%d\n", getpid());
	must(write(fd, text, strlen(text)));
	close(fd);
	must(rename(victim_path("ready.tmp"), victim_path("ready")));
}

bool victim_may_go(void)
{
	return !directory[0] || access(victim_path("go"), F_OK) == 0;
}

void victim_wait(void)
{
	while (!victim_may_go())
		victim_sleep_ms(10);
}

int victim_end(void)
{
	if (getpid() == first)
		note("result", failures ? "failed\n" : "passed\n");
	return failures != 0;
}

pid_t victim_fork(void (*fn)(void *arg), void *arg)
{
	pid_t pid = must(fork());

	if (pid)
		return pid;
	failures = 0;
	fn(arg);
	_exit(victim_end());
}

void victim_join(pid_t pid)
{
	int status = -1;
	pid_t got;

	do
		got = waitpid(pid, &status, 0);
	while (got == -1 && errno == EINTR);
	if (got != pid)
		victim_fail(__FILE__, __LINE__, "waiting for child %d: %s", pid, strerror(errno));
	else if (WIFSIGNALED(status))
		victim_fail(__FILE__, __LINE__, "child %d was killed by signal %d", pid, WTERMSIG(status));
	else if (WEXITSTATUS(status))
		victim_fail(__FILE__, __LINE__, "child %d exited with %d", pid, WEXITSTATUS(status));
}

void victim_gate(void)
{
	must(pipe2(gate, O_CLOEXEC));
}

void victim_here(void)
{
	close(gate[0]);
	must(write(gate[1], "", 1));
	close(gate[1]);
}

void victim_all_here(int n)
{
	char c;

	close(gate[1]);
	while (n > 0) {
		ssize_t got = read(gate[0], &c, 1);

		if (got == -1 && errno == EINTR)
			continue;
		if (got != 1) {
			errno = ECHILD;
			victim_give_up(__FILE__, __LINE__, "waiting for the children to get ready");
		}
		n--;
	}
	/* Until the last of them has closed it as well: whoever looks at their descriptors sees none of ours. */
	poll(&(struct pollfd){ .fd = gate[0] }, 1, 200);
	close(gate[0]);
}

void victim_await_syscall(pid_t pid, pid_t tid, long nr)
{
	char path[64];
	double end = victim_clock() + 20;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/syscall", pid, tid);
	for (;;) {
		char *text = victim_read(path, NULL), *rest;
		long now = -1;

		/* "running", or the number and more; -1 when blocked elsewhere (a fault, say). */
		if (text) {
			now = strtol(text, &rest, 10);
			if (rest == text)
				now = -1;
		}
		free(text);
		if (now != -1 && (nr == -1 || now == nr))
			return;
		if (victim_clock() > end) {
			errno = ETIMEDOUT;
			victim_give_up(__FILE__, __LINE__, "waiting for a thread to block");
		}
		victim_sleep_ms(1);
	}
}

void victim_await_state(pid_t pid, char state)
{
	char path[64];
	double end = victim_clock() + 20;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	for (;;) {
		char *text = victim_read(path, NULL), *paren;
		char now = 0;

		paren = text ? strrchr(text, ')') : NULL;
		if (paren && paren[1])
			now = paren[2];
		free(text);
		if (now == state)
			return;
		if (victim_clock() > end) {
			errno = ETIMEDOUT;
			victim_give_up(__FILE__, __LINE__, "waiting for a process to change its state");
		}
		victim_sleep_ms(1);
	}
}

char *victim_read(const char *path, size_t *ret_len)
{
	size_t len = 0, cap = 4096;
	char *text = malloc(cap);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	while (text && fd >= 0) {
		ssize_t got = read(fd, text + len, cap - len - 1);

		if (got == -1 && errno == EINTR)
			continue;
		if (got < 0)
			break;
		len += (size_t)got;
		if (got == 0) {
			close(fd);
			text[len] = 0;
			if (ret_len)
				*ret_len = len;
			return text;
		}
		if (cap - len < 2)
			text = realloc(text, cap *= 2);
	}
	if (fd >= 0)
		close(fd);
	free(text);
	return NULL;
}

const char *victim_status(pid_t pid, const char *key)
{
	static __thread char value[1024];
	char path[64], *text, *line;

	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/status", pid);
	else
		strcpy(path, "/proc/thread-self/status");
	value[0] = 0;
	text = victim_read(path, NULL);
	for (line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		size_t n = strlen(key);

		if (strncmp(line, key, n) == 0 && line[n] == ':') {
			line += n + 1;
			line += strspn(line, " \t");
			snprintf(value, sizeof(value), "%.*s", (int)strcspn(line, "\n"), line);
			break;
		}
	}
	free(text);
	return value;
}

double victim_clock(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void victim_sleep_ms(int ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000L };

	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &t, &t) == EINTR)
		;
}
