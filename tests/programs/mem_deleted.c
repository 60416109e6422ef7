/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_deleted.c - mappings of a deleted file, private and shared, in two processes, on disk and in memory */
#include "state.h"

#define SIZE MIB

struct mapped {
	char path[4096];
	char *shared, *private;
};

static struct mapped files[2];
static _Atomic unsigned int *steps;

static void map_it(struct mapped *file)
{
	int fd = open(file->path, O_RDWR);

	NEED(fd >= 0);
	file->shared = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	file->private = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	NEED(file->shared != MAP_FAILED && file->private != MAP_FAILED);
	close(fd);
}

static void work(void *unused)
{
	(void)unused;
	for (int i = 0; i < 2; i++) {
		map_it(&files[i]);
		fill(files[i].private, PAGE, 10 + i);
	}
	step(steps);
	victim_wait();
	for (int i = 0; i < 2; i++) {
		NEED(filled(files[i].private, PAGE, 10 + i));
		NEED(filled(files[i].shared, SIZE, i));
		fill(files[i].shared, SIZE, 30 + i);
	}
	step(steps);
	step_wait(steps, 3);
}

int main(void)
{
	pid_t pid;
	char line[8192];

	steps = map_shared(PAGE);
	snprintf(files[0].path, sizeof(files[0].path), "%s", in_dir("mapped"));
	snprintf(files[1].path, sizeof(files[1].path), "%s", in_shm());
	for (int i = 0; i < 2; i++)
		close(make_file(files[i].path, SIZE, i));
	pid = victim_fork(work, NULL);
	for (int i = 0; i < 2; i++) {
		map_it(&files[i]);
		fill(files[i].private + PAGE, PAGE, 20 + i);
	}
	step_wait(steps, 1);
	for (int i = 0; i < 2; i++)
		NEED(unlink(files[i].path) == 0);

	hold();

	step_wait(steps, 2);
	for (int i = 0; i < 2; i++) {
		NEED(filled(files[i].shared, SIZE, 30 + i));
		NEED(filled(files[i].private + PAGE, PAGE, 20 + i));
		/* Pages that were not changed follow the file, as private mappings do on Linux. */
		NEED(memcmp(files[i].private + 2 * PAGE, files[i].shared + 2 * PAGE, SIZE - 2 * PAGE) == 0);
		NEED(access(files[i].path, F_OK) == -1);
		maps_line(files[i].shared, line, sizeof(line));
		NEED(strstr(line, " (deleted)\n"));
	}
	step(steps);
	victim_join(pid);
	return victim_end();
}
