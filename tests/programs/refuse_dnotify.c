/* SPDX-License-Identifier: BSD-3-Clause */
/* refuse_dnotify.c - signals that tell of changes in a folder
 *
 * refused: F_NOTIFY
 */
#include "victim.h"

static volatile sig_atomic_t told;

static void tell(int signal)
{
	told++;
}

int main(void)
{
	int fd = must(open(victim_dir() ? victim_dir() : "/tmp", O_RDONLY | O_DIRECTORY));

	signal(SIGRTMIN, tell);
	must(fcntl(fd, F_SETSIG, SIGRTMIN));
	can(fcntl(fd, F_NOTIFY, DN_CREATE | DN_MULTISHOT));
	victim_ready();
	victim_wait();
	told = 0;
	close(must(open(victim_path("my-file"), O_CREAT | O_WRONLY, 0600)));
	check(told, "the program is not told of changes any more");
	return victim_end();
}
