/* SPDX-License-Identifier: BSD-3-Clause */
/* blocked_futex.c - futexes without a timeout: plain, bitset, priority inheriting, vectors, between processes */
#include <linux/futex.h>

#include "blocked.h"

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449 /* Linux 5.16 */
#endif

struct waitv {
	uint64_t val, uaddr;
	uint32_t flags, reserved;
};

static uint32_t words[4];
static uint32_t *shared;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, pi;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;

static void run_futex(struct blocked *b)
{
	int op = b->argument ? FUTEX_WAIT_BITSET_PRIVATE : FUTEX_WAIT_PRIVATE;
	long r = syscall(SYS_futex, &words[b->argument], op, 0, NULL, NULL, 4);

	check(r == 0, "%s: got %ld (%s)", b->name, r, strerror(errno));
	check(words[b->argument] == 1, "%s: woken too early", b->name);
}

static void run_shared(struct blocked *b)
{
	long r = syscall(SYS_futex, shared, FUTEX_WAIT, 0, NULL, NULL, 0);

	check(r == 0, "%s: got %ld (%s)", b->name, r, strerror(errno));
	check(*shared == 1, "%s: woken too early", b->name);
}

static void run_waitv(struct blocked *b)
{
	struct waitv v[2] = { { 0, (uintptr_t)&words[2], 2 | 128, 0 }, { 0, (uintptr_t)&words[3], 2 | 128, 0 } };
	long r = syscall(SYS_futex_waitv, v, 2, 0, NULL, 0);

	check(r == 1, "%s: expected 1, got %ld (%s)", b->name, r, strerror(errno));
}

static void run_mutex(struct blocked *b)
{
	pthread_mutex_t *m = b->argument ? &pi : &mutex;

	must0(pthread_mutex_lock(m));
	check(victim_may_go(), "%s: locked too early", b->name);
	must0(pthread_mutex_unlock(m));
}

static void run_cond(struct blocked *b)
{
	static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;

	must0(pthread_mutex_lock(&m));
	must0(pthread_cond_wait(&cond, &m));
	check(victim_may_go(), "%s: woken too early", b->name);
	must0(pthread_mutex_unlock(&m));
}

static struct blocked all[] = {
	{ "futex", SYS_futex, run_futex, 0 },	       { "futex bitset", SYS_futex, run_futex, 1 },
	{ "shared futex", SYS_futex, run_shared },     { "mutex", SYS_futex, run_mutex, 0 },
	{ "PI mutex", SYS_futex, run_mutex, 1 },       { "condition", SYS_futex, run_cond },
	{ "futex_waitv", SYS_futex_waitv, run_waitv },
};

static void wake_shared(void *arg)
{
	victim_here();
	victim_wait();
	*shared = 1;
	must(syscall(SYS_futex, shared, FUTEX_WAKE, 1, NULL, NULL, 0));
}

int main(void)
{
	pthread_mutexattr_t attr;
	size_t count = COUNT(all);
	pid_t pid;

	must0(pthread_mutexattr_init(&attr));
	must0(pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT));
	must0(pthread_mutex_init(&pi, &attr));
	must0(pthread_mutex_lock(&pi));
	must0(pthread_mutex_lock(&mutex));
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (syscall(SYS_futex_waitv, NULL, 0, 0, NULL, 0) == -1 && errno == ENOSYS)
		count--;
	victim_gate();
	pid = victim_fork(wake_shared, NULL);
	victim_all_here(1);
	blocked_start(all, count);
	victim_ready();
	victim_wait();
	victim_join(pid);
	words[0] = words[1] = words[3] = 1;
	for (int i = 0; i < 4; i++)
		if (i != 2)
			must(syscall(SYS_futex, &words[i], FUTEX_WAKE_BITSET_PRIVATE, 1, NULL, NULL, -1));
	must0(pthread_mutex_unlock(&mutex));
	must0(pthread_mutex_unlock(&pi));
	must0(pthread_cond_signal(&cond));
	blocked_join(all, count);
	return victim_end();
}
