/* SPDX-License-Identifier: BSD-3-Clause */
/* file_many.c - ten thousand descriptors */
#include "state.h"

#define FILES 10000

int main(void)
{
	char *path = in_dir("file");
	struct rlimit limit;
	static int fds[FILES];

	NEED(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	limit.rlim_cur = limit.rlim_max;
	NEED(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	if (limit.rlim_max < FILES + 100)
		victim_skip("no more than %lu descriptors are allowed", (unsigned long)limit.rlim_max);
	close(make_file(path, 4 * PAGE, 1));
	for (int i = 0; i < FILES; i++) {
		/* Every tenth is a second descriptor of the one before. */
		fds[i] = i % 10 == 9 ? dup(fds[i - 1]) : open(i % 10 == 8 ? "/dev/null" : path, O_RDONLY);
		NEED(fds[i] >= 0);
		if (i % 10 < 8)
			NEED(lseek(fds[i], i, SEEK_SET) == i);
	}

	hold();

	for (int i = 0; i < FILES; i++)
		NEED(lseek(fds[i], 0, SEEK_CUR) == (i % 10 < 8 ? i : 0));
	return victim_end();
}
