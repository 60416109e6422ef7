/* SPDX-License-Identifier: BSD-3-Clause */
/* limits.c - what the machine can do at best: a server process that measures it on request */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define CHUNK (1UL << 20)
#define DISK_THREADS 2

struct server {
	size_t size;
	const char *tmpfs, *disk;
	char *source; /* size bytes, touched */
};

static int ask_fd = -1, answer_fd = -1;
static pid_t server_pid;

static uint64_t write_tmpfs(const struct server *s)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/limit", s->tmpfs);
	uint64_t begin = bench_now_ns();
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return UINT64_MAX;
	bool ok = true;
	for (size_t at = 0; ok && at < s->size; at += CHUNK)
		ok = write(fd, s->source + at, CHUNK) == CHUNK;
	uint64_t ns = bench_now_ns() - begin;
	close(fd);
	unlink(path);
	return ok ? ns : UINT64_MAX;
}

static uint64_t populate(const struct server *s)
{
	char *p = mmap(NULL, s->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED || madvise(p, s->size, MADV_NOHUGEPAGE) < 0)
		return UINT64_MAX;
	uint64_t begin = bench_now_ns();
	if (madvise(p, s->size, MADV_POPULATE_WRITE) < 0)
		return UINT64_MAX;
	memcpy(p, s->source, s->size);
	uint64_t ns = bench_now_ns() - begin;
	munmap(p, s->size);
	return ns;
}

/* One of the threads that move a file between memory and disk. */
struct mover {
	pthread_t thread;
	int fd;
	bool writes, ok;
	char *memory;
	size_t begin, end;
};

static void *move(void *arg)
{
	struct mover *m = arg;

	m->ok = true;
	for (size_t at = m->begin; m->ok && at < m->end; at += CHUNK) {
		ssize_t n = m->writes ? pwrite(m->fd, m->memory + at, CHUNK, (off_t)at)
				      : pread(m->fd, m->memory + at, CHUNK, (off_t)at);
		m->ok = n == (ssize_t)CHUNK;
	}
	return NULL;
}

static uint64_t move_disk(const struct server *s, bool writes)
{
	struct mover movers[DISK_THREADS];
	char path[4096];
	bool ok = true;

	snprintf(path, sizeof(path), "%s/limit", s->disk);
	if (writes)
		unlink(path);
	uint64_t begin = bench_now_ns();
	int fd = open(path, (writes ? O_WRONLY | O_CREAT : O_RDONLY) | O_DIRECT | O_CLOEXEC, 0600);
	if (fd < 0)
		return UINT64_MAX;
	size_t share = s->size / DISK_THREADS;
	for (size_t i = 0; i < DISK_THREADS; i++) {
		movers[i] = (struct mover){
			.fd = fd, .writes = writes, .memory = s->source, .begin = i * share, .end = (i + 1) * share
		};
		if (pthread_create(&movers[i].thread, NULL, move, &movers[i]) != 0)
			bench_die("cannot start a thread");
	}
	for (size_t i = 0; i < DISK_THREADS; i++) {
		pthread_join(movers[i].thread, NULL);
		ok = ok && movers[i].ok;
	}
	if (writes)
		ok = fdatasync(fd) == 0 && ok;
	uint64_t ns = bench_now_ns() - begin;
	close(fd);
	return ok ? ns : UINT64_MAX;
}

static void __attribute__((noreturn)) serve(struct server *s, int in, int out)
{
	unsigned char what;
	uint64_t x = 1;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	s->source = mmap(NULL, s->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (s->source == MAP_FAILED)
		bench_die("no memory");
	for (size_t i = 0; i < s->size / 8; i++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		((uint64_t *)s->source)[i] = x;
	}
	while (read(in, &what, 1) == 1 && what != LIMIT_QUIT) {
		uint64_t ns = UINT64_MAX;
		switch (what) {
		case LIMIT_WRITE_TMPFS: ns = write_tmpfs(s); break;
		case LIMIT_POPULATE: ns = populate(s); break;
		case LIMIT_WRITE_DISK: ns = move_disk(s, true); break;
		case LIMIT_READ_DISK: ns = move_disk(s, false); break;
		}
		if (write(out, &ns, sizeof(ns)) != sizeof(ns))
			break;
	}
	_exit(0);
}

void bench_limits_start(size_t size, const char *tmpfs, const char *disk)
{
	int ask[2], answer[2];

	if (pipe2(ask, O_CLOEXEC) < 0 || pipe2(answer, O_CLOEXEC) < 0)
		bench_die("cannot make a pipe: %s", strerror(errno));
	fflush(NULL);
	server_pid = fork();
	if (server_pid == 0) {
		close(ask[1]);
		serve(&(struct server){ .size = size, .tmpfs = tmpfs, .disk = disk }, ask[0], answer[1]);
	}
	close(ask[0]);
	close(answer[1]);
	ask_fd = ask[1];
	answer_fd = answer[0];
}

void bench_limits_stop(void)
{
	if (ask_fd < 0)
		return;
	close(ask_fd);
	close(answer_fd);
	ask_fd = answer_fd = -1;
	waitpid(server_pid, NULL, 0);
}

uint64_t bench_limit_ns(enum bench_limit limit)
{
	unsigned char what = (unsigned char)limit;
	uint64_t ns;

	if (write(ask_fd, &what, 1) != 1 || read(answer_fd, &ns, sizeof(ns)) != sizeof(ns))
		bench_die("the process that measures limits is gone");
	return ns;
}
