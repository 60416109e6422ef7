/* SPDX-License-Identifier: BSD-3-Clause */
/* file_tmpfile.c - a file without a name (O_TMPFILE) can be given one afterwards
 *
 * unsettled: fdinfo (O_TMPFILE is not among its flags any more)
 */
#include "state.h"

int main(void)
{
	char *folder = in_dir("folder"), *path = in_dir("folder/named"), self[64];
	uint64_t page[PAGE / 8];
	struct stat st;
	int fd;

	NEED(mkdir(folder, 0755) == 0);
	fd = open(folder, O_TMPFILE | O_RDWR, 0600);
	if (fd < 0)
		victim_skip("the filesystem has no O_TMPFILE");
	fill(page, PAGE, 1);
	NEED(write(fd, page, PAGE) == PAGE);

	hold();

	NEED(fstat(fd, &st) == 0 && st.st_nlink == 0 && st.st_size == PAGE && (st.st_mode & 07777) == 0600);
	NEED(lseek(fd, 0, SEEK_CUR) == PAGE && file_filled(fd, PAGE, 1));
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	NEED(linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0);
	NEED(file_filled(open(path, O_RDONLY), PAGE, 1));
	return victim_end();
}
