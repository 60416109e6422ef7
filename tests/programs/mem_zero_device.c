/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_zero_device.c - mappings of /dev/zero, private and shared with a child */
#include "state.h"

#define SIZE (32 * PAGE)

static char *shared;
static _Atomic unsigned int *steps;

static void work(void *unused)
{
	(void)unused;
	victim_wait();
	NEED(filled(shared, PAGE, 2));
	fill(shared, PAGE, 3);
	step(steps);
}

int main(void)
{
	int fd = open("/dev/zero", O_RDWR);
	char *private;
	pid_t pid;

	steps = map_shared(PAGE);
	private = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	shared = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	NEED(private != MAP_FAILED && shared != MAP_FAILED);
	close(fd);
	fill(private, PAGE, 1);
	fill(shared, PAGE, 2);
	pid = victim_fork(work, NULL);
	hold();
	step_wait(steps, 1);
	NEED(filled(private, PAGE, 1) && all_zero(private + PAGE, SIZE - PAGE));
	NEED(filled(shared, PAGE, 3) && all_zero(shared + PAGE, SIZE - PAGE));
	victim_join(pid);
	return victim_end();
}
