/* SPDX-License-Identifier: BSD-3-Clause */
/* file_deleted_mode.c - a deleted file and a memfd that not even their owner may open again */
#include "state.h"

int main(void)
{
	char *path = in_dir("file");
	int fd = make_file(path, 2 * PAGE, 1), memfd = memfd_create("closed", MFD_CLOEXEC);
	struct stat st;

	NEED(memfd >= 0 && write(memfd, "content", 7) == 7);
	NEED(fchmod(fd, 0) == 0 && fchmod(memfd, 0200) == 0 && unlink(path) == 0);
	NEED(lseek(fd, 123, SEEK_SET) == 123 && lseek(memfd, 3, SEEK_SET) == 3);

	hold();

	char text[8] = "";
	NEED(lseek(fd, 0, SEEK_CUR) == 123 && file_filled(fd, 2 * PAGE, 1));
	NEED(read(memfd, text, sizeof(text)) == 4 && !strcmp(text, "tent"));
	NEED(fstat(fd, &st) == 0 && (st.st_mode & 07777) == 0);
	NEED(fstat(memfd, &st) == 0 && (st.st_mode & 07777) == 0200);
	return victim_end();
}
