/* SPDX-License-Identifier: BSD-3-Clause */
/* signal_actions.c - what is to be done on each signal: handler, flags, mask and restorer, as the kernel has it */
#include "victim.h"

/* The kernel's own struct; glibc's hides the restorer. */
struct action {
	uint64_t handler, flags, restorer, mask;
};

static void one(int sig)
{
}

static void two(int sig, siginfo_t *info, void *context)
{
}

static void get(int sig, struct action *a)
{
	memset(a, 0, sizeof(*a));
	must(syscall(SYS_rt_sigaction, sig, NULL, a, 8));
}

int main(void)
{
	static const int flags[] = { 0,		 SA_RESTART,   SA_NODEFER,   (int)SA_RESETHAND,
				     SA_ONSTACK, SA_NOCLDSTOP, SA_NOCLDWAIT, SA_RESTART | SA_NODEFER };
	struct action before[65], now;

	for (int sig = 1; sig <= 64; sig++) {
		struct sigaction a = { .sa_flags = flags[(size_t)sig % COUNT(flags)] };

		if (sig == SIGKILL || sig == SIGSTOP || sig == 32 || sig == 33)
			continue;
		if (sig % 3 == 0) {
			a.sa_sigaction = two;
			a.sa_flags |= SA_SIGINFO;
		} else {
			a.sa_handler = sig % 5 == 0 ? SIG_IGN : sig % 11 == 0 ? SIG_DFL : one;
		}
		for (int m = 1; m <= 64; m += sig % 4 + 1)
			sigaddset(&a.sa_mask, m);
		must(sigaction(sig, &a, NULL));
	}
	for (int sig = 1; sig <= 64; sig++)
		get(sig, &before[sig]);
	victim_ready();
	victim_wait();
	for (int sig = 1; sig <= 64; sig++) {
		get(sig, &now);
		check(now.handler == before[sig].handler, "signal %d: handler %lx, not %lx", sig, now.handler,
		      before[sig].handler);
		check(now.flags == before[sig].flags, "signal %d: flags %lx, not %lx", sig, now.flags,
		      before[sig].flags);
		check(now.restorer == before[sig].restorer, "signal %d: restorer %lx, not %lx", sig, now.restorer,
		      before[sig].restorer);
		check(now.mask == before[sig].mask, "signal %d: mask %lx, not %lx", sig, now.mask, before[sig].mask);
	}
	return victim_end();
}
