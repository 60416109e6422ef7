/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_hugetlb.c - huge pages from the kernel's pool: private, shared, and as a memory file */
#include <sys/file.h>

#include "state.h"

#define HUGE (2 * MIB)
#define NEEDED 16

static const char free_pages[] = "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages";

static char *shared;
static _Atomic unsigned int *steps;

static long read_number(const char *path)
{
	FILE *file = fopen(path, "re");
	long number = -1;

	if (file) {
		if (fscanf(file, "%ld", &number) != 1)
			number = -1;
		fclose(file);
	}
	return number;
}

/* Changes the size of the pool by so many pages. */
static void pool_add(long pages)
{
	FILE *file = fopen("/proc/sys/vm/nr_hugepages", "r+e");
	int lock = open(free_pages, O_RDONLY | O_CLOEXEC);

	/* Other tests may do the same. */
	if (file && flock(lock, LOCK_EX) == 0) {
		fprintf(file, "%ld", read_number("/proc/sys/vm/nr_hugepages") + pages);
		fclose(file);
	}
	close(lock);
}

static void work(void *unused)
{
	(void)unused;
	victim_wait();
	NEED(filled(shared, HUGE, 2));
	fill(shared, HUGE, 3);
	step(steps);
}

int main(void)
{
	char *private, *window;
	pid_t pid;
	int fd;

	pool_add(NEEDED);
	if (read_number(free_pages) < NEEDED)
		victim_skip("there are not %d free huge pages", NEEDED);
	steps = map_shared(PAGE);
	private = mmap(NULL, 3 * HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	shared = mmap(NULL, 2 * HUGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	fd = memfd_create("huge", MFD_HUGETLB);
	NEED(private != MAP_FAILED && shared != MAP_FAILED && fd >= 0 && ftruncate(fd, 2 * HUGE) == 0);
	window = mmap(NULL, 2 * HUGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	NEED(window != MAP_FAILED);
	fill(private + HUGE, HUGE, 1);
	fill(shared, HUGE, 2);
	fill(window + HUGE, HUGE, 4);
	pid = victim_fork(work, NULL);

	hold();

	step_wait(steps, 1);
	NEED(smaps_kb(private, "KernelPageSize") == 2048 && smaps_kb(shared, "KernelPageSize") == 2048 &&
	     smaps_kb(window, "KernelPageSize") == 2048);
	NEED(all_zero(private, HUGE) && filled(private + HUGE, HUGE, 1));
	NEED(filled(shared, HUGE, 3) && all_zero(shared + HUGE, HUGE));
	NEED(all_zero(window, HUGE) && filled(window + HUGE, HUGE, 4));
	fill(private + 2 * HUGE, HUGE, 5);
	victim_join(pid);
	munmap(private, 3 * HUGE);
	munmap(shared, 2 * HUGE);
	munmap(window, 2 * HUGE);
	close(fd);
	pool_add(-NEEDED);
	return victim_end();
}
