/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_tmpfs.c - mappings of files in /dev/shm: shared between processes, private, with the name there */
#include "state.h"

#define SIZE MIB

static char path[128];
static _Atomic unsigned int *steps;

static void work(void *unused)
{
	int fd = open(path, O_RDWR);
	char *own = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	(void)unused;
	NEED(own != MAP_FAILED);
	close(fd);
	step(steps);
	victim_wait();
	fill(own + PAGE, PAGE, 22);
	step(steps);
}

int main(void)
{
	char *shared, *private;
	pid_t pid;
	int fd;

	steps = map_shared(PAGE);
	snprintf(path, sizeof(path), "%s", in_shm());
	fd = make_file(path, SIZE, 20);
	shared = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	private = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	NEED(shared != MAP_FAILED && private != MAP_FAILED);
	close(fd);
	fill(private, PAGE, 21);
	pid = victim_fork(work, NULL);
	step_wait(steps, 1);

	hold();

	step_wait(steps, 2);
	NEED(filled(shared + PAGE, PAGE, 22) && filled(private + PAGE, PAGE, 22));
	NEED(filled(private, PAGE, 21) && filled(shared, PAGE, 20));
	victim_join(pid);
	NEED(unlink(path) == 0);
	NEED(filled(private, PAGE, 21) && filled(shared, PAGE, 20));
	return victim_end();
}
