/* SPDX-License-Identifier: BSD-3-Clause */
/* registers_sse.c - xmm registers and MXCSR */
#include "registers.h"

#define BOTH(n) "movups " #n "*16(%[regs]), %%xmm" #n "\n\t"
#define BACK(n) "movups %%xmm" #n ", " #n "*16(%[regs])\n\t"
#define ALL(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7) M(8) M(9) M(10) M(11) M(12) M(13) M(14) M(15)

static void *spin(void *arg)
{
	int number = (int)(intptr_t)arg;
	/* Rounding modes, one for each thread; flush to zero for some. */
	uint32_t mxcsr = 0x1f80 | (uint32_t)(number + 1) << 13 | (number & 1 ? 0x8000 : 0), now;
	unsigned char regs[16 * 16];

	registers_fill(number, regs, sizeof(regs));
	__asm__ volatile("ldmxcsr %[mxcsr]\n\t" ALL(BOTH) "lock incl %[here]\n\t"
							  "1: cmpl $0, %[stop]\n\t"
							  "je 1b\n\t" ALL(BACK) "stmxcsr %[now]\n\t"
			 : [here] "+m"(registers_here), [now] "=m"(now)
			 : [regs] "r"(regs), [mxcsr] "m"(mxcsr), [stop] "m"(registers_stop)
			 : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
			   "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
	check(now == mxcsr, "thread %d: MXCSR: expected %x, got %x", number, mxcsr, now);
	registers_verify(number, regs, sizeof(regs), 16, "xmm");
	return NULL;
}

int main(void)
{
	registers_run(spin);
	return victim_end();
}
