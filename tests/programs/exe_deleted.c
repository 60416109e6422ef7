/* SPDX-License-Identifier: BSD-3-Clause */
/* exe_deleted.c - a program whose file was deleted while it runs */
#include "victim.h"

int main(int argc, char **argv)
{
	char link[4096] = "", copy[4096];
	size_t len;
	char *data;
	int fd;

	snprintf(copy, sizeof(copy), "%s", victim_path("my-program"));
	if (argc == 1) {
		data = victim_read("/proc/self/exe", &len);
		fd = must(open(copy, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0777));
		must(write(fd, data, len));
		close(fd);
		execl(copy, copy, "again", NULL);
		victim_give_up(__FILE__, __LINE__, "executing the copy");
	}
	must(unlink(copy));
	victim_ready();
	victim_wait();
	data = victim_read("/proc/self/exe", &len);
	check(data && len > 1000 && memcmp(data, "\177ELF", 4) == 0, "the program's file cannot be read any more");
	must(readlink("/proc/self/exe", link, sizeof(link) - 1));
	check(strstr(link, " (deleted)"), "exe: %s", link);
	check(access(copy, F_OK) == -1, "%s is there again", copy);
	return victim_end();
}
