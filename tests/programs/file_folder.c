/* SPDX-License-Identifier: BSD-3-Clause */
/* file_folder.c - reading a folder goes on where it was, and openat works relative to it */
#include <dirent.h>

#include "state.h"

#define FILES 300

static unsigned int seen[FILES];

/* Reads at most so many bytes of entries; small, so that the position in the kernel matters. */
static bool read_some(int fd)
{
	_Alignas(8) char buffer[320];
	long n = syscall(SYS_getdents64, fd, buffer, sizeof(buffer));

	NEED(n >= 0);
	for (long at = 0; at < n;) {
		struct dirent64 *entry = (struct dirent64 *)(buffer + at);

		if (entry->d_name[0] != '.')
			seen[atoi(entry->d_name)]++;
		at += entry->d_reclen;
	}
	return n > 0;
}

int main(void)
{
	char *folder = in_dir("folder"), name[16];
	int fd, entries = 0, at_begin;
	DIR *dir;

	NEED(mkdir(folder, 0755) == 0);
	fd = open(folder, O_RDONLY | O_DIRECTORY);
	at_begin = open(folder, O_RDONLY | O_DIRECTORY);
	NEED(fd >= 0 && at_begin >= 0);
	for (int i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "%d", i);
		close(openat(fd, name, O_CREAT | O_WRONLY, 0644));
	}
	for (int i = 0; i < 15; i++)
		NEED(read_some(fd));
	dir = opendir(folder);
	for (; entries < 100; entries++)
		NEED(readdir(dir));

	hold();

	while (read_some(fd))
		;
	for (int i = 0; i < FILES; i++)
		if (seen[i] != 1)
			GIVE_UP("entry %d was read %u times", i, seen[i]);
	while (readdir(dir))
		entries++;
	NEED(entries == FILES + 2);
	NEED(unlinkat(at_begin, "7", 0) == 0);
	memset(seen, 0, sizeof(seen));
	while (read_some(at_begin))
		;
	NEED(seen[7] == 0 && seen[8] == 1);
	return victim_end();
}
