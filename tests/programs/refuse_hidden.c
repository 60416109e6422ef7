/* SPDX-License-Identifier: BSD-3-Clause */
/* refuse_hidden.c - something was mounted over a folder in which a file is open
 *
 * refused: descriptor [0-9]+ .*my-folder/file.* does not lead there
 */
#include <sys/mount.h>

#include "state.h"

int main(void)
{
	char *folder = in_dir("folder"), *path = in_dir("folder/file"), text[8] = "";

	NEED(mkdir(folder, 0755) == 0);
	int fd = make_file(path, PAGE, 1);
	can(mount("none", folder, "tmpfs", 0, NULL));

	hold();

	NEED(pwrite(fd, "changed", 7, 0) == 7);
	NEED(umount2(folder, MNT_DETACH) == 0);
	NEED(pread(open(path, O_RDONLY), text, 7, 0) == 7);
	check(!strcmp(text, "changed"), "the program writes to another file");
	return victim_end();
}
