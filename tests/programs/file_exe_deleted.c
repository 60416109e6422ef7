/* SPDX-License-Identifier: BSD-3-Clause */
/* file_exe_deleted.c - the program's own binary was deleted while it runs */
#include "state.h"

/* Copies the binary of this program; returns whether that worked. */
static bool copy_self(const char *path)
{
	size_t length;
	char *content = victim_read("/proc/self/exe", &length);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	bool done = content && fd >= 0 && write(fd, content, length) == (ssize_t)length;

	free(content);
	close(fd);
	return done;
}

int main(int argc, char **argv)
{
	char *path = in_dir("binary"), exe[4096] = "";

	if (argc == 1) {
		NEED(copy_self(path));
		execl(path, argv[0], "copy", NULL);
		GIVE_UP("exec: %s", strerror(errno));
	}
	NEED(unlink(path) == 0);

	hold();

	NEED(readlink("/proc/self/exe", exe, sizeof(exe) - 1) > 0 && strstr(exe, " (deleted)"));
	NEED(access(path, F_OK) == -1);
	/* Its content is still there. */
	NEED(copy_self(path) && access(path, X_OK) == 0);
	return victim_end();
}
