/* SPDX-License-Identifier: BSD-3-Clause */
/* refuse_message_queue.c - a POSIX message queue that was opened by its path and removed: what is read from
 * it as from a file is not what is in it
 *
 * refused: my-queues/queue.* cannot be captured
 */
#include <mqueue.h>
#include <sys/mount.h>

#include "state.h"

int main(void)
{
	char *folder = in_dir("queues"), *path = in_dir("queues/queue"), text[8192] = "";

	NEED(mkdir(folder, 0755) == 0);
	can(mount("none", folder, "mqueue", 0, NULL));
	int fd = can(open(path, O_RDWR | O_CREAT, 0600));
	NEED(mq_send(fd, "message", 7, 0) == 0 && unlink(path) == 0);

	hold();

	check(mq_receive(fd, text, sizeof(text), NULL) == 7 && !strcmp(text, "message"), "the message is not there");
	return victim_end();
}
