/* SPDX-License-Identifier: BSD-3-Clause */
/* registers_blocked.c - registers of threads that are blocked in a system call, made in assembler */
#include "registers.h"

#define BOTH(n) "movups " #n "*16(%[regs]), %%xmm" #n "\n\t"
#define BACK(n) "movups %%xmm" #n ", " #n "*16(%[regs])\n\t"
#define ALL(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7) M(8) M(9) M(10) M(11) M(12) M(13) M(14) M(15)

static int leash[2];

/* read(leash): all but rax, rcx and r11 are kept by the system call. */
static void *spin(void *arg)
{
	int number = (int)(intptr_t)arg;
	unsigned char regs[16 * 16], general[5 * 8];
	char c;
	long result;

	registers_fill(number, regs, sizeof(regs));
	registers_fill(number + 50, general, sizeof(general));
	__asm__ volatile(
		"mov (%[general]), %%rbx\n\t"
		"mov 8(%[general]), %%r8\n\t"
		"mov 16(%[general]), %%r9\n\t"
		"mov 24(%[general]), %%r10\n\t"
		"mov 32(%[general]), %%r14\n\t" ALL(BOTH) "lock incl (%[here])\n\t"
							  "syscall\n\t" ALL(BACK) "mov %%rbx, (%[general])\n\t"
										  "mov %%r8, 8(%[general])\n\t"
										  "mov %%r9, 16(%[general])\n\t"
										  "mov %%r10, 24(%[general])\n\t"
										  "mov %%r14, 32(%[general])\n\t"
		: "=a"(result)
		: "a"(SYS_read), "D"(leash[0]), "S"(&c),
		  "d"(1), [regs] "r"((void *)regs), [general] "r"((void *)general), [here] "r"(&registers_here)
		: "memory", "cc", "rbx", "rcx", "r8", "r9", "r10", "r11", "r14", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4",
		  "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
	check(result == 0, "read: expected 0, got %ld", result);
	registers_verify(number, regs, sizeof(regs), 16, "xmm");
	registers_verify(number + 50, general, sizeof(general), 8, "general register ");
	return NULL;
}

int main(void)
{
	pthread_t threads[REGISTERS_THREADS];

	must(pipe(leash));
	for (intptr_t i = 0; i < REGISTERS_THREADS; i++)
		must0(pthread_create(&threads[i], NULL, spin, (void *)i));
	while (registers_here < REGISTERS_THREADS)
		victim_sleep_ms(1);
	victim_sleep_ms(20);
	victim_ready();
	victim_wait();
	close(leash[1]);
	for (int i = 0; i < REGISTERS_THREADS; i++)
		must0(pthread_join(threads[i], NULL));
	return victim_end();
}
