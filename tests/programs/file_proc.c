/* SPDX-License-Identifier: BSD-3-Clause */
/* file_proc.c - entries of /proc/self, of a relative, and of the system are what they were */
#include "state.h"

static void sleeper(void *unused)
{
	victim_wait();
}

/* Does the text of fd, read from the start, hold what? */
static bool says(int fd, const char *what)
{
	static char text[1 << 16];
	size_t length = 0;
	ssize_t n;

	NEED(lseek(fd, 0, SEEK_SET) == 0);
	while ((n = read(fd, text + length, sizeof(text) - 1 - length)) > 0)
		length += (size_t)n;
	text[length] = '\0';
	return strstr(text, what);
}

int main(void)
{
	pid_t pid = victim_fork(sleeper, NULL);
	int maps = open("/proc/self/maps", O_RDONLY), status = open("/proc/self/status", O_RDONLY);
	int fds = open("/proc/self/fd", O_RDONLY | O_DIRECTORY), self = open("/proc/self", O_RDONLY | O_DIRECTORY);
	int system = open("/proc/uptime", O_RDONLY), comm = open("/proc/self/comm", O_RDWR), relative;
	char path[64], link[4096] = "", byte, where[64];

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	relative = open(path, O_RDONLY);
	NEED(maps >= 0 && status >= 0 && fds >= 0 && self >= 0 && system >= 0 && comm >= 0 && relative >= 0);
	NEED(read(maps, &byte, 1) == 1);

	hold();

	NEED(says(maps, "[stack]"));
	snprintf(where, sizeof(where), "\nPid:\t%d\n", getpid());
	NEED(says(status, where));
	snprintf(where, sizeof(where), "\nPid:\t%d\n", pid);
	NEED(says(relative, where));
	snprintf(where, sizeof(where), "%d", maps);
	snprintf(path, sizeof(path), "/proc/%d/maps", getpid());
	NEED(readlinkat(fds, where, link, sizeof(link) - 1) > 0 && !strcmp(link, path));
	NEED(readlinkat(self, "exe", link, sizeof(link) - 1) > 0);
	NEED(pread(system, &byte, 1, 0) == 1);
	NEED(write(comm, "renamed", 7) == 7 && says(status, "Name:\trenamed\n"));
	victim_join(pid);
	return victim_end();
}
