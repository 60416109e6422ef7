/* SPDX-License-Identifier: BSD-3-Clause */
/* registers_flags.c - carry, direction and the other flags of a running thread */
#include "registers.h"

#define FLAGS 0xcd5ul /* carry, parity, auxiliary, zero, sign, direction, overflow */

static void *spin(void *arg)
{
	int number = (int)(intptr_t)arg;
	uint64_t wanted = number == 0 ? FLAGS : number == 1 ? 0x400 : 0x1, now;

	/* jrcxz looks at no flag; the loop sets none: lea and mov do not. */
	__asm__ volatile("lock incl %[here]\n\t"
			 "sub $128, %%rsp\n\t"
			 "push %[wanted]\n\t"
			 "popf\n\t"
			 "1: mov (%[stop]), %%ecx\n\t"
			 "jrcxz 1b\n\t"
			 "pushf\n\t"
			 "cld\n\t"
			 "pop %[now]\n\t"
			 "lea 128(%%rsp), %%rsp\n\t"
			 : [now] "=&r"(now), [here] "+m"(registers_here)
			 : [wanted] "r"(wanted), [stop] "r"(&registers_stop)
			 : "rcx", "memory", "cc");
	check((now & FLAGS) == wanted, "thread %d: flags: expected %lx, got %lx", number, wanted, now & FLAGS);
	return NULL;
}

int main(void)
{
	registers_run(spin);
	return victim_end();
}
