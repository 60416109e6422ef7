/* SPDX-License-Identifier: BSD-3-Clause */
/* exe_link.c - /proc/self/exe: of the program, and of a child that executes another file */
#include "victim.h"

static void verify(const char *expected)
{
	char link[4096] = "";

	check(readlink("/proc/self/exe", link, sizeof(link) - 1) > 0, "exe: %s", strerror(errno));
	check(strcmp(link, expected) == 0, "exe: expected %s, got %s", expected, link);
}

static void copy_file(const char *from, const char *to)
{
	size_t len;
	char *data = victim_read(from, &len);
	int fd = must(open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0777));

	if (!data || write(fd, data, len) != (ssize_t)len)
		victim_give_up(__FILE__, __LINE__, "copying the program");
	close(fd);
}

int main(int argc, char **argv)
{
	char self[4096] = "", other[4096];
	pid_t pid;

	must(readlink("/proc/self/exe", self, sizeof(self) - 1));
	snprintf(other, sizeof(other), "%s", victim_path("my-other-program"));
	if (argc > 1) {
		int fd = atoi(argv[1]);

		must(write(fd, "", 1));
		close(fd);
		victim_wait();
		verify(other);
		return victim_end();
	}
	copy_file(self, other);
	{
		int pipefd[2];
		char number[16], c;

		must(pipe(pipefd));
		snprintf(number, sizeof(number), "%d", pipefd[1]);
		pid = must(fork());
		if (pid == 0) {
			close(pipefd[0]);
			execl(other, other, number, NULL);
			victim_give_up(__FILE__, __LINE__, "executing the copy");
		}
		close(pipefd[1]);
		must(read(pipefd[0], &c, 1));
		close(pipefd[0]);
	}
	victim_ready();
	victim_wait();
	verify(self);
	victim_join(pid);
	unlink(other);
	return victim_end();
}
