/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_seal.c - sealed mappings (mseal) stay sealed, and have their content */
#include "state.h"

int main(void)
{
	char *memory = map_private(16 * PAGE), *none = map_private(16 * PAGE);

	fill(memory, 16 * PAGE, 1);
	fill(none, 16 * PAGE, 2);
	NEED(mprotect(memory + 8 * PAGE, 8 * PAGE, PROT_READ) == 0);
	NEED(mprotect(none, 16 * PAGE, PROT_NONE) == 0);
	if (syscall(SYS_mseal, memory, 16 * PAGE, 0) < 0 || syscall(SYS_mseal, none, 16 * PAGE, 0) < 0)
		victim_skip("the kernel has no mseal");

	hold();

	NEED(filled(memory, 16 * PAGE, 1));
	NEED(munmap(memory, PAGE) == -1 && errno == EPERM);
	NEED(mprotect(memory + 8 * PAGE, PAGE, PROT_READ | PROT_WRITE) == -1 && errno == EPERM);
	NEED(mprotect(none, PAGE, PROT_READ) == -1 && errno == EPERM);
	NEED(mremap(memory, PAGE, 2 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED && errno == EPERM);
	fill(memory, 8 * PAGE, 3);
	NEED(filled(memory, 8 * PAGE, 3));
	return victim_end();
}
