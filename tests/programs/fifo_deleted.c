/* SPDX-License-Identifier: BSD-3-Clause */
/* fifo_deleted.c - a FIFO that was deleted while both ends are open */
#include "state.h"

int main(void)
{
	char *path = in_dir("fifo"), text[16];
	int reader, writer;
	struct stat st;

	NEED(mkfifo(path, 0640) == 0);
	reader = open(path, O_RDONLY | O_NONBLOCK);
	writer = open(path, O_WRONLY);
	NEED(reader >= 0 && writer >= 0 && write(writer, "hello", 5) == 5 && unlink(path) == 0);

	hold();

	NEED(access(path, F_OK) == -1);
	NEED(fstat(reader, &st) == 0 && S_ISFIFO(st.st_mode) && (st.st_mode & 0777) == 0640);
	NEED(read(reader, text, sizeof(text)) == 5 && !memcmp(text, "hello", 5));
	NEED(write(writer, "more", 4) == 4 && read(reader, text, sizeof(text)) == 4);
	close(writer);
	NEED(read(reader, text, sizeof(text)) == 0);
	return victim_end();
}
