/* SPDX-License-Identifier: BSD-3-Clause */
/* registers_avx512.c - zmm and mask registers */
#include "registers.h"

#define BOTH(n) "vmovdqu64 " #n "*64(%[regs]), %%zmm" #n "\n\t"
#define BACK(n) "vmovdqu64 %%zmm" #n ", " #n "*64(%[regs])\n\t"
#define MASK(n) "kmovq " #n "*8(%[masks]), %%k" #n "\n\t"
#define KSAM(n) "kmovq %%k" #n ", " #n "*8(%[masks])\n\t"
#define EIGHT(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7)
#define OTHERS(M) M(8) M(9) M(10) M(11) M(12) M(13) M(14) M(15) M(16) M(17) M(18) M(19)
#define MORE(M) M(20) M(21) M(22) M(23) M(24) M(25) M(26) M(27) M(28) M(29) M(30) M(31)
#define ALL(M) EIGHT(M) OTHERS(M) MORE(M)

static __attribute__((target("avx512f,avx512bw"))) void *spin(void *arg)
{
	int number = (int)(intptr_t)arg;
	unsigned char regs[32 * 64], masks[8 * 8];

	registers_fill(number, regs, sizeof(regs));
	registers_fill(number + 100, masks, sizeof(masks));
	__asm__ volatile(ALL(BOTH) EIGHT(MASK) "lock incl %[here]\n\t"
					       "1: cmpl $0, %[stop]\n\t"
					       "je 1b\n\t" ALL(BACK) EIGHT(KSAM) "vzeroupper\n\t"
			 : [here] "+m"(registers_here)
			 : [regs] "r"(regs), [masks] "r"(masks), [stop] "m"(registers_stop)
			 : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
			   "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "xmm16", "xmm17", "xmm18",
			   "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25", "xmm26", "xmm27", "xmm28",
			   "xmm29", "xmm30", "xmm31", "k1", "k2", "k3", "k4", "k5", "k6", "k7");
	registers_verify(number, regs, sizeof(regs), 64, "zmm");
	registers_verify(number + 100, masks, sizeof(masks), 8, "k");
	return NULL;
}

int main(void)
{
	if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw"))
		victim_skip("this processor has no AVX-512");
	registers_run(spin);
	return victim_end();
}
