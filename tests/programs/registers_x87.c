/* SPDX-License-Identifier: BSD-3-Clause */
/* registers_x87.c - the x87 stack, its control and status word */
#include "registers.h"

static void *spin(void *arg)
{
	int number = (int)(intptr_t)arg;
	uint16_t control = (uint16_t)(0x37f & ~0xc00) | (uint16_t)(number << 10), now = 0;
	double in[4] = { number + 0.5, number * 3.25, -number - 1.0, 1e300 }, out[4];

	__asm__ volatile("fninit\n\t"
			 "fldcw %[control]\n\t"
			 "fldl (%[in])\n\t"
			 "fldl 8(%[in])\n\t"
			 "fldl 16(%[in])\n\t"
			 "fldl 24(%[in])\n\t"
			 "lock incl %[here]\n\t"
			 "1: cmpl $0, %[stop]\n\t"
			 "je 1b\n\t"
			 "fstpl 24(%[out])\n\t"
			 "fstpl 16(%[out])\n\t"
			 "fstpl 8(%[out])\n\t"
			 "fstpl (%[out])\n\t"
			 "fnstcw %[now]\n\t"
			 "fninit\n\t"
			 : [here] "+m"(registers_here), [now] "=m"(now)
			 : [in] "r"(in), [out] "r"(out), [control] "m"(control), [stop] "m"(registers_stop)
			 : "memory", "cc", "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)");
	check(now == control, "thread %d: control word: expected %x, got %x", number, control, now);
	for (int i = 0; i < 4; i++)
		check(in[i] == out[i], "thread %d: st%d: expected %g, got %g", number, i, in[i], out[i]);
	return NULL;
}

int main(void)
{
	registers_run(spin);
	return victim_end();
}
