/* SPDX-License-Identifier: BSD-3-Clause */
/* limits.c - resource limits, soft and hard, of a parent, of a child and of a child of another user */
#include "victim.h"

static const struct {
	int resource;
	struct rlimit limit;
} limits[] = {
	{ RLIMIT_CORE, { 0, 4096 } },
	{ RLIMIT_CPU, { 3600, 7200 } },
	{ RLIMIT_FSIZE, { 1 << 20, 1 << 30 } },
	{ RLIMIT_DATA, { 1UL << 38, 1UL << 39 } },
	{ RLIMIT_STACK, { 1 << 20, 1 << 22 } },
	{ RLIMIT_NOFILE, { 64, 128 } },
	{ RLIMIT_NPROC, { 1000, 2000 } },
	{ RLIMIT_AS, { 1UL << 40, 1UL << 41 } },
	{ RLIMIT_MEMLOCK, { 0, 65536 } },
	{ RLIMIT_SIGPENDING, { 100, 200 } },
	{ RLIMIT_MSGQUEUE, { 1000, 2000 } },
	{ RLIMIT_RTTIME, { 1000000, 2000000 } },
	{ RLIMIT_NICE, { 0, 0 } },
};

static void set(void)
{
	for (size_t i = 0; i < COUNT(limits); i++)
		must(setrlimit(limits[i].resource, &limits[i].limit));
}

static void verify(const struct rlimit *expected, int resource)
{
	struct rlimit now;

	must(getrlimit(resource, &now));
	check(now.rlim_cur == expected->rlim_cur && now.rlim_max == expected->rlim_max,
	      "limit %d: expected %lx %lx, got %lx %lx", resource, (long)expected->rlim_cur, (long)expected->rlim_max,
	      (long)now.rlim_cur, (long)now.rlim_max);
}

static void child(void *other_user)
{
	set();
	if (other_user) {
		/* An ordinary user has no other. */
		(void)!setresgid(1234, 1234, 1234);
		(void)!setresuid(1234, 1234, 1234);
	}
	victim_here();
	victim_wait();
	for (size_t i = 0; i < COUNT(limits); i++)
		verify(&limits[i].limit, limits[i].resource);
}

int main(void)
{
	struct rlimit before[RLIM_NLIMITS];
	pid_t pids[2];

	for (int i = 0; i < (int)RLIM_NLIMITS; i++)
		must(getrlimit(i, &before[i]));
	victim_gate();
	pids[0] = victim_fork(child, NULL);
	pids[1] = victim_fork(child, "other user");
	victim_all_here(2);
	victim_ready();
	victim_wait();
	for (int i = 0; i < (int)RLIM_NLIMITS; i++)
		verify(&before[i], i);
	victim_join(pids[0]);
	victim_join(pids[1]);
	return victim_end();
}
