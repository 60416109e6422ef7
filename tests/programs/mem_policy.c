/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_policy.c - NUMA policies of mappings (mbind) */
#include "state.h"

/* linux/mempolicy.h */
enum { MPOL_DEFAULT, MPOL_PREFERRED, MPOL_BIND, MPOL_INTERLEAVE, MPOL_LOCAL };
#define MPOL_F_ADDR 2
#define MPOL_F_STATIC_NODES (1 << 15)

static const int modes[] = {
	MPOL_DEFAULT, MPOL_PREFERRED, MPOL_BIND, MPOL_INTERLEAVE, MPOL_LOCAL, MPOL_BIND | MPOL_F_STATIC_NODES,
};

#define MODES COUNT(modes)

int main(void)
{
	char *private = map_private(MODES * 16 * PAGE), *shared = map_shared(MODES * 16 * PAGE);

	for (size_t i = 0; i < 2 * MODES; i++) {
		int mode = modes[i % MODES];
		unsigned long node = mode == MPOL_DEFAULT || mode == MPOL_LOCAL ? 0 : 1;
		char *memory = (i < MODES ? private : shared) + i % MODES * 16 * PAGE;

		if (syscall(SYS_mbind, memory, 16 * PAGE, mode, &node, 64, 0) < 0)
			victim_skip("the kernel has no NUMA policies: %s", strerror(errno));
		fill(memory, 16 * PAGE, i);
	}

	hold();

	for (size_t i = 0; i < 2 * MODES; i++) {
		char *memory = (i < MODES ? private : shared) + i % MODES * 16 * PAGE;
		int mode = -1, want = modes[i % MODES];
		unsigned long nodes[16] = { 0 };

		NEED(syscall(SYS_get_mempolicy, &mode, nodes, 1024, memory, MPOL_F_ADDR) == 0);
		if (mode != want)
			GIVE_UP("policy of mapping %zu was 0x%x, is 0x%x", i, want, mode);
		NEED(want == MPOL_DEFAULT || want == MPOL_LOCAL || nodes[0] == 1);
		NEED(filled(memory, 16 * PAGE, i));
	}
	return victim_end();
}
