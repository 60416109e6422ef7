/* SPDX-License-Identifier: BSD-3-Clause */
/* registers_avx.c - ymm registers */
#include "registers.h"

#define BOTH(n) "vmovdqu " #n "*32(%[regs]), %%ymm" #n "\n\t"
#define BACK(n) "vmovdqu %%ymm" #n ", " #n "*32(%[regs])\n\t"
#define ALL(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7) M(8) M(9) M(10) M(11) M(12) M(13) M(14) M(15)

static void *spin(void *arg)
{
	int number = (int)(intptr_t)arg;
	unsigned char regs[16 * 32];

	registers_fill(number, regs, sizeof(regs));
	__asm__ volatile(ALL(BOTH) "lock incl %[here]\n\t"
				   "1: cmpl $0, %[stop]\n\t"
				   "je 1b\n\t" ALL(BACK) "vzeroupper\n\t"
			 : [here] "+m"(registers_here)
			 : [regs] "r"(regs), [stop] "m"(registers_stop)
			 : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
			   "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
	registers_verify(number, regs, sizeof(regs), 32, "ymm");
	return NULL;
}

int main(void)
{
	if (!__builtin_cpu_supports("avx"))
		victim_skip("this processor has no AVX");
	registers_run(spin);
	return victim_end();
}
