/* SPDX-License-Identifier: BSD-3-Clause */
/* file_append.c - files opened with O_APPEND continue at the end, others where they were */
#include "state.h"

static const char *text(const char *path)
{
	return victim_read(path, NULL);
}

int main(void)
{
	char *log = in_dir("log"), *file = in_dir("file");
	int appending = open(log, O_WRONLY | O_CREAT | O_APPEND, 0644), other;
	int plain = open(file, O_RDWR | O_CREAT, 0644);

	NEED(appending >= 0 && plain >= 0);
	NEED(write(appending, "one\n", 4) == 4 && write(plain, "abcdefgh", 8) == 8);
	NEED(lseek(appending, 0, SEEK_SET) == 0 && lseek(plain, 4, SEEK_SET) == 4);

	hold();

	/* Somebody else writes first. */
	other = open(log, O_WRONLY | O_APPEND);
	NEED(other >= 0 && write(other, "two\n", 4) == 4);
	NEED(write(appending, "three\n", 6) == 6);
	NEED(!strcmp(text(log), "one\ntwo\nthree\n"));
	NEED(lseek(appending, 0, SEEK_CUR) == 14);
	NEED(write(plain, "XY", 2) == 2);
	NEED(!strcmp(text(file), "abcdXYgh"));
	NEED(ftruncate(plain, 2) == 0 && write(plain, "Z", 1) == 1); /* leaves a hole */
	NEED(lseek(plain, 0, SEEK_END) == 7);
	return victim_end();
}
