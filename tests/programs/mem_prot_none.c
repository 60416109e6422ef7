/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_prot_none.c - memory with content but without any access: the content is back after mprotect */
#include "state.h"

#define SIZE (64 * PAGE)

int main(void)
{
	int fd = make_file(in_dir("mapped"), SIZE, 5), memfd = memfd_create("closed", 0);
	char *anonymous = map_private(SIZE), *shared = map_shared(SIZE), *write_only = map_private(SIZE);
	char *file = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	char *memory_file;

	NEED(file != MAP_FAILED && memfd >= 0 && ftruncate(memfd, SIZE) == 0);
	memory_file = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	NEED(memory_file != MAP_FAILED);
	close(memfd);
	fill(anonymous, SIZE, 1);
	fill(shared, SIZE, 2);
	fill(file + PAGE, PAGE, 3);
	fill(memory_file, SIZE, 4);
	fill(write_only, SIZE, 6);
	NEED(mprotect(anonymous, SIZE, PROT_NONE) == 0 && mprotect(shared, SIZE, PROT_NONE) == 0 &&
	     mprotect(file, SIZE, PROT_NONE) == 0 && mprotect(memory_file, SIZE, PROT_NONE) == 0);
	NEED(mprotect(write_only, SIZE, PROT_WRITE) == 0);

	hold();

	NEED(signal_of_access(anonymous, false) == SIGSEGV && signal_of_access(shared, false) == SIGSEGV);
	NEED(signal_of_access(file, false) == SIGSEGV && signal_of_access(memory_file, false) == SIGSEGV);
	NEED(mprotect(anonymous, SIZE, PROT_READ) == 0 && mprotect(shared, SIZE, PROT_READ | PROT_WRITE) == 0 &&
	     mprotect(file, SIZE, PROT_READ) == 0 && mprotect(memory_file, SIZE, PROT_READ | PROT_WRITE) == 0 &&
	     mprotect(write_only, SIZE, PROT_READ) == 0);
	NEED(filled(anonymous, SIZE, 1) && filled(shared, SIZE, 2) && filled(memory_file, SIZE, 4) &&
	     filled(write_only, SIZE, 6));
	NEED(filled(file, PAGE, 5) && filled(file + PAGE, PAGE, 3));
	return victim_end();
}
