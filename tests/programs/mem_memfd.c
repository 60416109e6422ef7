/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_memfd.c - memory files: content, sharing between processes, seals, names, position */
#include "state.h"

#define SIZE (2 * MIB)

static int open_fd, sealed_fd;
static char *from_closed;
static _Atomic unsigned int *steps;

static void work(void *unused)
{
	char *own = mmap(NULL, SIZE / 2, PROT_READ | PROT_WRITE, MAP_SHARED, open_fd, SIZE / 2);

	(void)unused;
	NEED(own != MAP_FAILED);
	step(steps);
	victim_wait();
	fill(own, PAGE, 50);
	fill(from_closed + PAGE, PAGE, 51);
	step(steps);
	step_wait(steps, 3);
	NEED(filled(from_closed + 2 * PAGE, PAGE, 52));
	NEED(fcntl(sealed_fd, F_GET_SEALS) == (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE));
}

int main(void)
{
	int closed_fd = memfd_create("closed", 0);
	char link[64], target[256] = "";
	uint64_t page[PAGE / 8];
	char *read_only;
	pid_t pid;

	steps = map_shared(PAGE);
	open_fd = memfd_create("a name", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	sealed_fd = memfd_create("sealed", MFD_ALLOW_SEALING);
	NEED(open_fd >= 0 && sealed_fd >= 0 && closed_fd >= 0);
	fill(page, PAGE, 1);
	for (int i = 0; i < 2; i++) {
		NEED(ftruncate(i ? sealed_fd : open_fd, SIZE) == 0);
		NEED(pwrite(i ? sealed_fd : open_fd, page, PAGE, 100 * PAGE) == PAGE);
	}
	NEED(lseek(open_fd, 12345, SEEK_SET) == 12345);
	NEED(fcntl(open_fd, F_ADD_SEALS, F_SEAL_SHRINK) == 0);
	NEED(fcntl(sealed_fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0);
	read_only = mmap(NULL, SIZE, PROT_READ, MAP_PRIVATE, sealed_fd, 0);
	NEED(read_only != MAP_FAILED);
	NEED(ftruncate(closed_fd, SIZE) == 0);
	from_closed = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, closed_fd, 0);
	NEED(from_closed != MAP_FAILED);
	close(closed_fd);
	fill(from_closed, PAGE, 2);
	pid = victim_fork(work, NULL);
	step_wait(steps, 1);

	hold();

	step_wait(steps, 2);
	NEED(pread(open_fd, page, PAGE, SIZE / 2) == PAGE && filled(page, PAGE, 50));
	NEED(filled(from_closed, PAGE, 2) && filled(from_closed + PAGE, PAGE, 51));
	fill(from_closed + 2 * PAGE, PAGE, 52);
	step(steps);
	NEED(pread(open_fd, page, PAGE, 100 * PAGE) == PAGE && filled(page, PAGE, 1));
	NEED(filled(read_only + 100 * PAGE, PAGE, 1));
	NEED(lseek(open_fd, 0, SEEK_CUR) == 12345);
	NEED(fcntl(open_fd, F_GETFD) == FD_CLOEXEC && fcntl(sealed_fd, F_GETFD) == 0);
	NEED(fcntl(open_fd, F_GET_SEALS) == F_SEAL_SHRINK);
	NEED(ftruncate(open_fd, PAGE) == -1 && errno == EPERM);
	NEED(ftruncate(open_fd, 2 * SIZE) == 0);
	NEED(fcntl(open_fd, F_ADD_SEALS, F_SEAL_GROW) == 0);
	NEED(write(sealed_fd, page, 1) == -1 && errno == EPERM);
	NEED(fcntl(sealed_fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE) == -1 && errno == EPERM);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", open_fd);
	NEED(readlink(link, target, sizeof(target) - 1) > 0 && !strcmp(target, "/memfd:a name (deleted)"));
	victim_join(pid);
	return victim_end();
}
