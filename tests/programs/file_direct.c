/* SPDX-License-Identifier: BSD-3-Clause */
/* file_direct.c - a file opened with O_DIRECT, where reads must be aligned */
#include "state.h"

int main(void)
{
	char *path = in_dir("file"), *buffer = map_private(4 * PAGE);
	int fd;

	close(make_file(path, 4 * PAGE, 1));
	fd = open(path, O_RDWR | O_DIRECT);
	if (fd < 0)
		victim_skip("the filesystem has no O_DIRECT");
	NEED(read(fd, buffer, PAGE) == PAGE && filled(buffer, PAGE, 1));

	hold();

	NEED(fcntl(fd, F_GETFL) & O_DIRECT);
	NEED(lseek(fd, 0, SEEK_CUR) == PAGE);
	NEED(read(fd, buffer + PAGE, 3 * PAGE) == 3 * PAGE && filled(buffer, 4 * PAGE, 1));
	fill(buffer, PAGE, 2);
	NEED(pwrite(fd, buffer, PAGE, 0) == PAGE);
	return victim_end();
}
