/* SPDX-License-Identifier: BSD-3-Clause */
/* program.c - a program of a given size that only waits: what the benchmark checkpoints
 *
 *	bench-program pages MIB | threads N | processes N | mappings N | descriptors N
 *
 * Writes a byte to descriptor 3 and closes it when it is ready.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static void need(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

/* Every page differs from every other. */
static void make_pages(size_t mib)
{
	size_t words = (mib << 20) / sizeof(uint64_t);
	uint64_t *p = mmap(NULL, mib << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), x = 1;

	need(p != MAP_FAILED && madvise(p, mib << 20, MADV_NOHUGEPAGE) == 0, "mmap");
	for (size_t i = 0; i < words; i++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		p[i] = x;
	}
}

static void *wait_forever(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return NULL;
}

static void make_threads(size_t n)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 << 10);
	for (size_t i = 1; i < n; i++)
		need(pthread_create(&thread, &attr, wait_forever, NULL) == 0, "pthread_create");
}

static void make_processes(size_t n)
{
	for (size_t i = 1; i < n; i++) {
		pid_t pid = fork();
		need(pid >= 0, "fork");
		if (pid == 0) {
			close(3);
			wait_forever(NULL);
		}
	}
}

/* Neighbours differ, so that the kernel does not make one of them. */
static void make_mappings(size_t n)
{
	char *p = mmap(NULL, n * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	need(p != MAP_FAILED, "mmap");
	for (size_t i = 0; i < n; i++) {
		p[i * 4096] = (char)(i + 1);
		need(i % 2 == 0 || mprotect(p + i * 4096, 4096, PROT_READ) == 0, "mprotect");
	}
}

static void make_descriptors(size_t n)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	for (size_t i = 4; i < n; i++)
		need(open(i % 2 ? "/dev/null" : "/etc/passwd", O_RDONLY) >= 0, "open");
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*make)(size_t n);
	} kinds[] = {
		{ "pages", make_pages },       { "threads", make_threads },	    { "processes", make_processes },
		{ "mappings", make_mappings }, { "descriptors", make_descriptors },
	};

	for (size_t i = 0; argc == 3 && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(argv[1], kinds[i].name) != 0)
			continue;
		kinds[i].make(strtoul(argv[2], NULL, 10));
		need(write(3, "r", 1) == 1, "write");
		close(3);
		wait_forever(NULL);
	}
	fprintf(stderr, "usage: bench-program pages|threads|processes|mappings|descriptors N\n");
	return 2;
}
