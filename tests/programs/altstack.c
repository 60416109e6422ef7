/* SPDX-License-Identifier: BSD-3-Clause */
/* altstack.c - alternate signal stacks: unused, disarming, and in use by handlers that return or jump */
#include <setjmp.h>
#include <stdatomic.h>

#include "victim.h"

#define SIZE 65536

static atomic_int here;
static __thread stack_t mine;
static __thread sigjmp_buf jump;

static void set_stack(int flags)
{
	mine.ss_sp = malloc(SIZE);
	mine.ss_size = SIZE;
	mine.ss_flags = flags;
	must(sigaltstack(&mine, NULL));
}

static void verify(int flags, const char *when)
{
	stack_t now;

	must(sigaltstack(NULL, &now));
	check(now.ss_sp == mine.ss_sp, "%s: stack: expected %p, got %p", when, mine.ss_sp, now.ss_sp);
	check(now.ss_size == mine.ss_size, "%s: size: expected %zu, got %zu", when, mine.ss_size, now.ss_size);
	check(now.ss_flags == flags, "%s: flags: expected %x, got %x", when, flags, now.ss_flags);
}

static bool on_stack(void *p)
{
	return (char *)p >= (char *)mine.ss_sp && (char *)p < (char *)mine.ss_sp + SIZE;
}

static void handler(int sig)
{
	int local = sig;
	stack_t now;

	check(on_stack(&local), "the handler is not on the alternate stack");
	here++;
	victim_wait();
	check(local == sig, "local of the handler: expected %d, got %d", sig, local);
	if (sig == SIGUSR2) {
		/* A disarming one is off while the handler runs. */
		must(sigaltstack(NULL, &now));
		check(now.ss_flags == SS_DISABLE, "disarming: flags %x", now.ss_flags);
	} else {
		verify(SS_ONSTACK, "in the handler");
	}
	if (sig == SIGHUP)
		siglongjmp(jump, 1);
}

static void *unused(void *arg)
{
	set_stack(0);
	here++;
	victim_wait();
	verify(0, "unused");
	return NULL;
}

static void *none(void *arg)
{
	stack_t now;

	here++;
	victim_wait();
	must(sigaltstack(NULL, &now));
	check(now.ss_flags == SS_DISABLE, "none: flags %x", now.ss_flags);
	return NULL;
}

static void *returning(void *arg)
{
	set_stack(0);
	raise(SIGUSR1);
	verify(0, "after return");
	return NULL;
}

static void *disarming(void *arg)
{
	set_stack((int)(1U << 31) /* SS_AUTODISARM */);
	raise(SIGUSR2);
	verify((int)(1U << 31), "after return, disarming");
	return NULL;
}

static void *jumping(void *arg)
{
	set_stack(0);
	if (sigsetjmp(jump, 1) == 0) {
		raise(SIGHUP);
		check(false, "the handler returned");
	}
	verify(0, "after the jump");
	return NULL;
}

int main(void)
{
	void *(*const all[])(void *) = { unused, none, returning, disarming, jumping };
	struct sigaction action = { .sa_handler = handler, .sa_flags = SA_ONSTACK };
	pthread_t threads[COUNT(all)];

	must(sigaction(SIGUSR1, &action, NULL));
	must(sigaction(SIGUSR2, &action, NULL));
	must(sigaction(SIGHUP, &action, NULL));
	for (size_t i = 0; i < COUNT(all); i++)
		must0(pthread_create(&threads[i], NULL, all[i], NULL));
	while (here < (int)COUNT(all))
		victim_sleep_ms(1);
	victim_ready();
	victim_wait();
	for (size_t i = 0; i < COUNT(all); i++)
		must0(pthread_join(threads[i], NULL));
	return victim_end();
}
