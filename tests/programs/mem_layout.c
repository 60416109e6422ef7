/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_layout.c - the text of /proc/self/maps is the same afterwards, to the last letter */
#include "state.h"

static char before[1 << 16], after[1 << 16];

static size_t read_maps(char *text, size_t size)
{
	int fd = open("/proc/self/maps", O_RDONLY);
	size_t length = 0;
	ssize_t n;

	NEED(fd >= 0);
	while ((n = read(fd, text + length, size - 1 - length)) > 0)
		length += (size_t)n;
	text[length] = '\0';
	close(fd);
	return length;
}

int main(void)
{
	char *memory = map_private(100 * PAGE);
	int fd = make_file(in_dir("mapped"), 10 * PAGE, 1);

	for (size_t i = 0; i < 100; i += 7)
		NEED(mprotect(memory + i * PAGE, PAGE, i % 2 ? PROT_READ : PROT_NONE) == 0);
	NEED(mmap(memory + 10 * PAGE, 10 * PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) != MAP_FAILED);
	NEED(mmap(memory + 30 * PAGE, 5 * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 5 * PAGE) != MAP_FAILED);
	fill(sbrk(100 * KIB), PAGE, 1);
	read_maps(before, sizeof(before)); /* the stack has grown as far as it will */
	read_maps(before, sizeof(before));

	hold();

	read_maps(after, sizeof(after));
	if (strcmp(before, after))
		GIVE_UP("maps were\n%sand are\n%s", before, after);
	return victim_end();
}
