/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_jit.c - code that the program wrote itself, and a patch in its own text */
#include "state.h"

typedef int function(void);

/* Alone on its page, so that only its page is changed. */
__attribute__((noinline, aligned(4096))) static int answer(void)
{
	int value;

	__asm__ volatile("movl $0x11223344, %0" : "=r"(value));
	return value;
}

__attribute__((noinline, aligned(4096))) static int next_page(void)
{
	return 0;
}

int main(void)
{
	unsigned char code[6] = { 0xb8, 0, 0, 0, 0, 0xc3 }; /* mov $value, %eax; ret */
	char *page = map_private(2 * PAGE);
	int value = 1234567, patched = 0x55667788;
	unsigned char *text = (unsigned char *)answer;

	memcpy(code + 1, &value, 4);
	memcpy(page, code, sizeof(code));
	NEED(mprotect(page, PAGE, PROT_READ | PROT_EXEC) == 0);
	NEED(((function *)page)() == 1234567 && answer() == 0x11223344 && next_page() == 0);
	NEED(mprotect(text, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC) == 0);
	for (int i = 0; i < 64; i++)
		if (!memcmp(text + i, "\x44\x33\x22\x11", 4))
			memcpy(text + i, &patched, 4);
	NEED(mprotect(text, PAGE, PROT_READ | PROT_EXEC) == 0);
	NEED(answer() == 0x55667788);

	hold();

	NEED(((function *)page)() == 1234567 && answer() == 0x55667788);
	NEED(signal_of_access(page, true) == SIGSEGV);
	NEED(mprotect(page, PAGE, PROT_READ | PROT_WRITE) == 0);
	page[1]++;
	NEED(mprotect(page, PAGE, PROT_READ | PROT_EXEC) == 0);
	NEED(((function *)page)() == 1234568);
	return victim_end();
}
