/* SPDX-License-Identifier: BSD-3-Clause */
/* file_names.c - file names with spaces, line feeds, backslashes, and one that ends in " (deleted)" */
#include "state.h"

static const char *const names[] = {
	"a b",	    "line\nfeed", "back\\slash", "tab\tname",	      "file (deleted)",
	"\xff\xfe", "\\012",	  "-",		 "memfd:x (deleted)",
};

int main(void)
{
	int fds[COUNT(names)];
	char *memory[COUNT(names)];

	for (size_t i = 0; i < COUNT(names); i++) {
		fds[i] = make_file(in_dir(names[i]), PAGE, i);
		memory[i] = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fds[i], 0);
		NEED(memory[i] != MAP_FAILED);
	}
	NEED(mkdir(in_dir("folder (deleted)"), 0755) == 0 && chdir(in_dir("folder (deleted)")) == 0);

	hold();

	for (size_t i = 0; i < COUNT(names); i++) {
		NEED(file_filled(fds[i], PAGE, i) && filled(memory[i], PAGE, i));
		fill(memory[i], PAGE, 100 + i);
		NEED(file_filled(open(in_dir(names[i]), O_RDONLY), PAGE, 100 + i));
	}
	NEED(access("../my-a b", F_OK) == 0);
	return victim_end();
}
