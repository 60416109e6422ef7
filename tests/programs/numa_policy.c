/* SPDX-License-Identifier: BSD-3-Clause */
/* numa_policy.c - memory policy of threads */
#include <stdatomic.h>

#include "victim.h"

enum { MPOL_DEFAULT_, MPOL_PREFERRED_, MPOL_BIND_, MPOL_INTERLEAVE_, MPOL_LOCAL_, MPOL_PREFERRED_MANY_ };
#define MPOL_F_STATIC_NODES_ (1 << 15)

static const struct {
	int mode;
	unsigned long nodes;
} wanted[] = { { MPOL_DEFAULT_, 0 },   { MPOL_BIND_, 1 },  { MPOL_INTERLEAVE_, 1 },
	       { MPOL_PREFERRED_, 1 }, { MPOL_LOCAL_, 0 }, { MPOL_BIND_ | MPOL_F_STATIC_NODES_, 1 } };

static atomic_int here;

static void *thread(void *arg)
{
	size_t i = (size_t)(uintptr_t)arg;
	unsigned long nodes[16] = { wanted[i].nodes };
	int mode = -1;

	if (syscall(SYS_set_mempolicy, wanted[i].mode, nodes, sizeof(nodes) * 8) == -1)
		victim_skip("set_mempolicy: %s", strerror(errno));
	here++;
	victim_wait();
	nodes[0] = ~0ul;
	must(syscall(SYS_get_mempolicy, &mode, nodes, sizeof(nodes) * 8, NULL, 0));
	check(mode == wanted[i].mode, "mode: expected %x, got %x", wanted[i].mode, mode);
	check(nodes[0] == wanted[i].nodes, "mode %x: nodes: expected %lx, got %lx", mode, wanted[i].nodes, nodes[0]);
	return NULL;
}

int main(void)
{
	pthread_t threads[COUNT(wanted)];

	for (size_t i = 0; i < COUNT(wanted); i++)
		must0(pthread_create(&threads[i], NULL, thread, (void *)i));
	while (here < (int)COUNT(wanted))
		victim_sleep_ms(1);
	victim_ready();
	victim_wait();
	for (size_t i = 0; i < COUNT(wanted); i++)
		must0(pthread_join(threads[i], NULL));
	return victim_end();
}
