/* SPDX-License-Identifier: BSD-3-Clause */
/* signal_fault.c - a handler for memory faults at work, which repairs the cause afterwards */
#include "victim.h"

static char *page;

static void handler(int sig, siginfo_t *info, void *context)
{
	victim_ready();
	victim_wait();
	check(info->si_addr == page + 100, "address: expected %p, got %p", (void *)(page + 100), info->si_addr);
	check(info->si_code == SEGV_ACCERR, "code: got %d", info->si_code);
	must(mprotect(page, 4096, PROT_READ | PROT_WRITE));
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };

	page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(sigaction(SIGSEGV, &action, NULL));
	*(volatile char *)(page + 100) = 42;
	check(page[100] == 42, "the write after the fault: got %d", page[100]);
	return victim_end();
}
