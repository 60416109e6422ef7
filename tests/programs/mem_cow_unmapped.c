/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_cow_unmapped.c - after fork, parent and child each unmapped parts and mapped other things there */
#include "state.h"

#define PAGES 60
#define AT(n) (memory + (n)*PAGE)

static char *memory;
static char file_path[4096];
static _Atomic unsigned int *steps;

static void map_at(size_t page, size_t pages, int prot, int flags, int fd)
{
	NEED(mmap(AT(page), pages * PAGE, prot, flags | MAP_FIXED, fd, 0) == AT(page));
}

static void work(void *unused)
{
	int fd = open(file_path, O_RDWR);

	(void)unused;
	NEED(munmap(AT(10), 10 * PAGE) == 0);
	map_at(20, 5, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	fill(AT(20), PAGE, 500);
	map_at(25, 5, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	NEED(mprotect(AT(30), 5 * PAGE, PROT_NONE) == 0);
	NEED(mremap(AT(35), 5 * PAGE, 5 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, AT(12)) == AT(12));
	step(steps);
	victim_wait();
	for (size_t i = 0; i < 10; i++)
		NEED(filled(AT(i), PAGE, i));
	NEED(signal_of_access(AT(10), false) == SIGSEGV && signal_of_access(AT(19), false) == SIGSEGV);
	for (size_t i = 0; i < 5; i++)
		NEED(filled(AT(12 + i), PAGE, 35 + i));
	NEED(filled(AT(20), PAGE, 500) && all_zero(AT(21), 4 * PAGE));
	NEED(filled(AT(25), 5 * PAGE, 9));
	NEED(signal_of_access(AT(30), false) == SIGSEGV && mprotect(AT(30), 5 * PAGE, PROT_READ) == 0);
	for (size_t i = 30; i < 35; i++)
		NEED(filled(AT(i), PAGE, i));
	NEED(signal_of_access(AT(35), false) == SIGSEGV);
	for (size_t i = 40; i < PAGES; i++)
		NEED(filled(AT(i), PAGE, i));
}

int main(void)
{
	pid_t pid;

	steps = map_shared(PAGE);
	snprintf(file_path, sizeof(file_path), "%s", in_dir("mapped"));
	close(make_file(file_path, 5 * PAGE, 9));
	memory = map_private(PAGES * PAGE);
	for (size_t i = 0; i < PAGES; i++)
		fill(AT(i), PAGE, i);
	pid = victim_fork(work, NULL);
	step_wait(steps, 1);
	NEED(munmap(AT(40), 10 * PAGE) == 0);
	map_at(50, 5, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1);
	fill(AT(50), 5 * PAGE, 600);

	hold();

	for (size_t i = 0; i < 40; i++)
		NEED(filled(AT(i), PAGE, i));
	NEED(signal_of_access(AT(40), false) == SIGSEGV);
	NEED(filled(AT(50), 5 * PAGE, 600));
	for (size_t i = 55; i < PAGES; i++)
		NEED(filled(AT(i), PAGE, i));
	victim_join(pid);
	return victim_end();
}
