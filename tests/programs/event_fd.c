/* SPDX-License-Identifier: BSD-3-Clause */
/* event_fd.c - eventfds: counters, semaphores, full ones, shared by fork, readers and writers that wait */
#include <sys/eventfd.h>

#include "blocked.h"

#define FULL (UINT64_MAX - 1)

static int empty, full, shared;

static uint64_t take(int fd)
{
	uint64_t value = 0;

	return read(fd, &value, sizeof(value)) == sizeof(value) ? value : 0;
}

static void run_read(struct blocked *b)
{
	uint64_t got = take(empty);

	check(got == 7, "the blocked reader got %lu (%s)", got, strerror(errno));
}

static void run_write(struct blocked *b)
{
	uint64_t one = 1;

	check(write(full, &one, sizeof(one)) == sizeof(one), "the blocked writer: %s", strerror(errno));
}

static struct blocked all[] = { { "read", SYS_read, run_read }, { "write", SYS_write, run_write } };

/* Takes one of the three that the parent's semaphore holds. */
static void child(void *arg)
{
	victim_here();
	victim_wait();
	check(take(shared) == 1, "the shared semaphore is empty");
}

int main(void)
{
	int counter = must(eventfd(5, EFD_NONBLOCK)), zero = must(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
	int semaphore = must(eventfd(2, EFD_NONBLOCK | EFD_SEMAPHORE)), twin = must(dup(counter));
	uint64_t value = FULL;
	pid_t pid;

	empty = must(eventfd(0, 0));
	full = must(eventfd(0, 0));
	shared = must(eventfd(3, EFD_SEMAPHORE | EFD_NONBLOCK));
	must(write(full, &value, sizeof(value)));
	victim_gate();
	pid = victim_fork(child, NULL);
	victim_all_here(1);
	blocked_start(all, COUNT(all));
	victim_ready();
	victim_wait();

	value = 3;
	must(write(twin, &value, sizeof(value)));
	value = take(counter);
	check(value == 8, "the counter is %lu, not 5 + 3", value);
	check(take(counter) == 0 && errno == EAGAIN, "the counter does not begin anew");
	check(take(zero) == 0 && errno == EAGAIN && fcntl(zero, F_GETFD) == FD_CLOEXEC, "the one at 0");
	check(take(semaphore) == 1 && take(semaphore) == 1 && take(semaphore) == 0, "the semaphore");
	victim_join(pid);
	check(take(shared) == 1 && take(shared) == 1 && take(shared) == 0, "the semaphore shared with a child");
	value = 7;
	must(write(empty, &value, sizeof(value)));
	value = take(full);
	check(value == FULL || value == 1, "the full one is %lu", value);
	blocked_join(all, COUNT(all));
	return victim_end();
}
