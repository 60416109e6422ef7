/* SPDX-License-Identifier: BSD-3-Clause */
/* file_removed_folder.c - folders that were removed while the program was in one and had others open; there is
 * another of one's name now
 */
#include "state.h"

static void work(void *unused)
{
	struct stat here;

	victim_wait();
	NEED(stat(".", &here) == 0 && here.st_nlink == 0);
	NEED(open("file", O_RDWR | O_CREAT, 0600) == -1 && errno == ENOENT);
}

int main(void)
{
	char *outer = in_dir("outer"), *inner = in_dir("outer/inner"), *again = in_dir("again"), cwd[4096];
	struct stat here, there, new;
	char list[512];

	NEED(mkdir(outer, 0755) == 0 && mkdir(inner, 0710) == 0 && mkdir(again, 0755) == 0);
	NEED(chdir(inner) == 0);
	int fd = open(inner, O_RDONLY), other = open(again, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	NEED(fd >= 0 && other >= 0);
	NEED(rmdir(inner) == 0 && rmdir(outer) == 0 && rmdir(again) == 0 && mkdir(again, 0755) == 0);
	pid_t pid = victim_fork(work, NULL);

	hold();

	NEED(getcwd(cwd, sizeof(cwd)) == NULL && errno == ENOENT);
	NEED(stat(".", &here) == 0 && here.st_nlink == 0 && (here.st_mode & 07777) == 0710);
	NEED(fstat(fd, &there) == 0 && here.st_ino == there.st_ino);
	NEED(mkdir("below", 0755) == -1 && errno == ENOENT);
	NEED(fstat(other, &there) == 0 && there.st_nlink == 0 && stat(again, &new) == 0 && there.st_ino != new.st_ino);
	NEED(syscall(SYS_getdents64, fd, list, sizeof(list)) == -1 && errno == ENOENT);
	NEED(access(outer, F_OK) == -1);
	victim_join(pid);
	return victim_end();
}
