/* SPDX-License-Identifier: BSD-3-Clause */
/* rseq_section.c - a thread inside a restartable sequence never goes on in it unprotected */
#include <sys/rseq.h>

#include "victim.h"

static volatile int stop;
static volatile long aborts, unprotected;

static void *inside(void *arg)
{
	struct rseq *area = (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);

	/* The section goes from 1 to 2.  Whoever interrupts it must send it to 4; if it goes on although
	 * the kernel (or dunlin) has taken rseq_cs away, it would not be interrupted the next time. */
	__asm__ volatile(
		".pushsection __rseq_cs, \"aw\"\n\t"
		".balign 32\n\t"
		"9: .long 0, 0\n\t"
		".quad 1f, 2f - 1f, 4f\n\t"
		".popsection\n\t"
		"0: lea 9b(%%rip), %%rax\n\t"
		"mov %%rax, %c[cs](%[area])\n\t"
		"1: cmp %%rax, %c[cs](%[area])\n\t"
		"jne 3f\n\t"
		"cmpl $0, %[stop]\n\t"
		"je 1b\n\t"
		"2: jmp 5f\n\t"
		"3: lock incq %[unprotected]\n\t"
		"jmp 0b\n\t"
		".byte 0x0f, 0xb9, 0x3d\n\t"
		".long %c[sig]\n\t"
		"4: lock incq %[aborts]\n\t"
		"jmp 0b\n\t"
		"5:\n\t"
		: [aborts] "+m"(aborts), [unprotected] "+m"(unprotected)
		: [area] "r"(area), [stop] "m"(stop), [cs] "i"(offsetof(struct rseq, rseq_cs)), [sig] "i"(RSEQ_SIG)
		: "rax", "memory", "cc");
	return NULL;
}

int main(void)
{
	pthread_t threads[2];

	if (__rseq_size == 0)
		victim_skip("the C library did not register rseq");
	must0(pthread_create(&threads[0], NULL, inside, NULL));
	must0(pthread_create(&threads[1], NULL, inside, NULL));
	victim_sleep_ms(50);
	victim_ready();
	victim_wait();
	stop = 1;
	must0(pthread_join(threads[0], NULL));
	must0(pthread_join(threads[1], NULL));
	check(unprotected == 0, "%ld times a section went on without protection (%ld aborts)", unprotected, aborts);
	return victim_end();
}
