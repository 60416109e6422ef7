/* SPDX-License-Identifier: BSD-3-Clause */
/* file_renamed.c - open files that were renamed, moved, or had another file renamed over them */
#include "state.h"

int main(void)
{
	char *renamed = in_dir("renamed"), *folder = in_dir("folder"), *moved = in_dir("folder/moved");
	char *replaced = in_dir("replaced"), *temporary = in_dir("temporary");
	int fds[3];

	NEED(mkdir(folder, 0755) == 0);
	fds[0] = make_file(temporary, PAGE, 1);
	NEED(rename(temporary, renamed) == 0);
	fds[1] = make_file(temporary, PAGE, 2);
	NEED(rename(temporary, moved) == 0);
	fds[2] = make_file(replaced, PAGE, 3);
	close(make_file(temporary, PAGE, 4));
	NEED(rename(temporary, replaced) == 0);

	hold();

	for (int i = 0; i < 3; i++) {
		NEED(file_filled(fds[i], PAGE, 1 + i));
		NEED(lseek(fds[i], 0, SEEK_CUR) == PAGE && write(fds[i], "more", 4) == 4);
	}
	NEED(lseek(open(renamed, O_RDONLY), 0, SEEK_END) == PAGE + 4);
	NEED(lseek(open(moved, O_RDONLY), 0, SEEK_END) == PAGE + 4);
	NEED(file_filled(open(replaced, O_RDONLY), PAGE, 4));
	NEED(lseek(open(replaced, O_RDONLY), 0, SEEK_END) == PAGE);
	return victim_end();
}
