/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_large.c - memory larger than the machine's, which was made in two parts after a child was born: no call
 * for all of it would be granted
 */
#include <sys/sysinfo.h>

#include "state.h"

static void child(void *unused)
{
	victim_wait();
}

int main(void)
{
	struct sysinfo info;

	NEED(sysinfo(&info) == 0);
	size_t part = (info.totalram + info.totalswap) * info.mem_unit * 2 / 3 & ~(2 * MIB - 1);
	char *memory = map(2 * part, PROT_NONE, MAP_PRIVATE | MAP_NORESERVE);
	pid_t pid = victim_fork(child, NULL);

	for (int i = 0; i < 2; i++)
		if (mmap(memory + i * part, part, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
			 0) == MAP_FAILED)
			victim_skip("the machine counts memory strictly");
	fill(memory + part - PAGE, 2 * PAGE, 1);
	fill(memory, PAGE, 2);

	hold();

	check(filled(memory + part - PAGE, 2 * PAGE, 1) && filled(memory, PAGE, 2), "the content differs");
	check(mremap(memory, 2 * part, part, 0) == memory, "it is not one mapping any more");
	victim_join(pid);
	return victim_end();
}
