/* SPDX-License-Identifier: BSD-3-Clause */
/* refuse_inotify.c - a watch on a folder
 *
 * refused: inotify
 */
#include <sys/inotify.h>

#include "victim.h"

int main(void)
{
	int fd = must(inotify_init1(IN_NONBLOCK));
	char buf[512];

	must(inotify_add_watch(fd, victim_dir() ? victim_dir() : "/tmp", IN_CREATE));
	victim_ready();
	victim_wait();
	close(must(open(victim_path("my-file"), O_CREAT | O_WRONLY, 0600)));
	check(read(fd, buf, sizeof(buf)) > 0, "the watch does not work any more");
	return victim_end();
}
