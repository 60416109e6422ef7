/* SPDX-License-Identifier: BSD-3-Clause */
/* refuse_long_path.c - a file that is mapped lies deeper than a path can say
 *
 * refused: longer than PATH_MAX
 */
#include "state.h"

int main(void)
{
	char name[201];

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	NEED(chdir(victim_dir() ? victim_dir() : "/tmp") == 0);
	for (int depth = 0; depth < 24; depth++)
		NEED((mkdir(name, 0755) == 0 || errno == EEXIST) && chdir(name) == 0);
	int fd = make_file("file", PAGE, 1);
	char *memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	NEED(memory != MAP_FAILED && close(fd) == 0 && chdir("/") == 0);

	hold();

	check(filled(memory, PAGE, 1), "the content is another");
	return victim_end();
}
