/* SPDX-License-Identifier: BSD-3-Clause */
/* file_deleted_linked.c - the path by which it was opened is gone, but the file has another name
 *
 * unsettled: fd maps vmflags (it has the other name now)
 */
#include "state.h"

int main(void)
{
	char *path = in_dir("file"), *other = in_dir("other");
	int fd = make_file(path, 4 * PAGE, 1);
	char *shared = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	struct stat through_fd, through_name;

	NEED(shared != MAP_FAILED);
	NEED(link(path, other) == 0 && unlink(path) == 0);

	hold();

	NEED(access(path, F_OK) == -1);
	NEED(fstat(fd, &through_fd) == 0 && stat(other, &through_name) == 0);
	NEED(through_fd.st_ino == through_name.st_ino && through_fd.st_dev == through_name.st_dev);
	NEED(through_fd.st_nlink == 1);
	fill(shared, PAGE, 2);
	NEED(file_filled(open(other, O_RDONLY), PAGE, 2));
	NEED(pwrite(fd, "new", 3, PAGE) == 3 && !memcmp(shared + PAGE, "new", 3));
	return victim_end();
}
