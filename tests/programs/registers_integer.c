/* SPDX-License-Identifier: BSD-3-Clause */
/* registers_integer.c - all general registers and the flags */
#include "registers.h"

/* rbp is used too: no frame pointer in the thread function's inner part. */
static __attribute__((noinline, optimize("omit-frame-pointer"))) void spin(uint64_t *regs)
{
	/* Everything but rsp; the block's address is on the stack meanwhile, below the red zone. */
	__asm__ volatile("sub $128, %%rsp\n\t"
			 "push %%rbp\n\t"
			 "push %%rbx\n\t"
			 "push %[regs]\n\t"
			 "mov %[regs], %%rax\n\t"
			 "mov 8(%%rax), %%rbx\n\t"
			 "mov 16(%%rax), %%rcx\n\t"
			 "mov 24(%%rax), %%rdx\n\t"
			 "mov 32(%%rax), %%rsi\n\t"
			 "mov 40(%%rax), %%rdi\n\t"
			 "mov 48(%%rax), %%rbp\n\t"
			 "mov 56(%%rax), %%r8\n\t"
			 "mov 64(%%rax), %%r9\n\t"
			 "mov 72(%%rax), %%r10\n\t"
			 "mov 80(%%rax), %%r11\n\t"
			 "mov 88(%%rax), %%r12\n\t"
			 "mov 96(%%rax), %%r13\n\t"
			 "mov 104(%%rax), %%r14\n\t"
			 "mov 112(%%rax), %%r15\n\t"
			 "mov (%%rax), %%rax\n\t"
			 "lock incl %[here]\n\t"
			 "1: cmpl $0, %[stop]\n\t"
			 "pause\n\t"
			 "je 1b\n\t"
			 "xchg %%rax, (%%rsp)\n\t"
			 "mov %%rbx, 8(%%rax)\n\t"
			 "mov %%rcx, 16(%%rax)\n\t"
			 "mov %%rdx, 24(%%rax)\n\t"
			 "mov %%rsi, 32(%%rax)\n\t"
			 "mov %%rdi, 40(%%rax)\n\t"
			 "mov %%rbp, 48(%%rax)\n\t"
			 "mov %%r8, 56(%%rax)\n\t"
			 "mov %%r9, 64(%%rax)\n\t"
			 "mov %%r10, 72(%%rax)\n\t"
			 "mov %%r11, 80(%%rax)\n\t"
			 "mov %%r12, 88(%%rax)\n\t"
			 "mov %%r13, 96(%%rax)\n\t"
			 "mov %%r14, 104(%%rax)\n\t"
			 "mov %%r15, 112(%%rax)\n\t"
			 "pop %%rcx\n\t"
			 "mov %%rcx, (%%rax)\n\t"
			 "pop %%rbx\n\t"
			 "pop %%rbp\n\t"
			 "add $128, %%rsp\n\t"
			 : [here] "+m"(registers_here)
			 : [regs] "a"(regs), [stop] "m"(registers_stop)
			 : "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory",
			   "cc");
}

static void *integer(void *arg)
{
	int number = (int)(intptr_t)arg;
	uint64_t regs[15], red_zone;

	registers_fill(number, regs, sizeof(regs));
	/* What lies below the stack pointer belongs to the program too. */
	__asm__ volatile("movq %1, -96(%%rsp)\n\t"
			 "lock incl %2\n\t"
			 "1: cmpl $0, %3\n\t"
			 "je 1b\n\t"
			 "movq -96(%%rsp), %0\n\t"
			 : "=r"(red_zone)
			 : "r"(0x1122334455667788ul + (uint64_t)number), "m"(registers_here), "m"(registers_stop)
			 : "memory", "cc");
	check(red_zone == 0x1122334455667788ul + (uint64_t)number, "thread %d: the red zone was written", number);
	return NULL;
}

static void *all(void *arg)
{
	int number = (int)(intptr_t)arg;
	uint64_t regs[15];

	if (number == 0)
		return integer(arg);
	registers_fill(number, regs, sizeof(regs));
	spin(regs);
	registers_verify(number, regs, sizeof(regs), 8, "register ");
	return NULL;
}

int main(void)
{
	registers_run(all);
	return victim_end();
}
