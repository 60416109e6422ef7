/* SPDX-License-Identifier: BSD-3-Clause */
/* capabilities.c - all five capability sets, securebits, keepcaps
 *
 * not: user (an ordinary user has none)
 */
#include <linux/capability.h>
#include <linux/securebits.h>

#include "victim.h"

#define BIT(n) (1ull << (n))

struct sets {
	uint64_t permitted, effective, inheritable, ambient, dropped;
	uid_t uid;
	unsigned int securebits;
	bool keep;
};

static struct sets all[] = {
	{ BIT(CAP_KILL) | BIT(CAP_CHOWN), BIT(CAP_KILL), BIT(CAP_CHOWN) | BIT(CAP_FOWNER), BIT(CAP_CHOWN),
	  BIT(CAP_SYS_TIME) | BIT(CAP_NET_RAW), 0, 0, false },
	{ BIT(CAP_NET_ADMIN), BIT(CAP_NET_ADMIN), BIT(CAP_NET_ADMIN), BIT(CAP_NET_ADMIN), 0, 1000,
	  SECBIT_KEEP_CAPS | SECBIT_NO_SETUID_FIXUP, true },
	{ 0, 0, 0, 0, ~0ull, 0, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED, false },
	{ BIT(CAP_SYSLOG), 0, 0, 0, 0, 0, SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED, true },
	{ 0, 0, 0, 0, 0, 1000, 0, false },
};

static void capset_to(const struct sets *s)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];

	for (int i = 0; i < 2; i++) {
		data[i].permitted = (uint32_t)(s->permitted >> (32 * i));
		data[i].effective = (uint32_t)(s->effective >> (32 * i));
		data[i].inheritable = (uint32_t)(s->inheritable >> (32 * i));
	}
	must(syscall(SYS_capset, &head, data));
}

static void child(void *arg)
{
	const struct sets *s = arg;
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];
	uint64_t permitted, effective, inheritable;

	for (int cap = 0; cap < 41; cap++)
		if (s->dropped & BIT(cap))
			can(prctl(PR_CAPBSET_DROP, cap));
	if (s->uid) {
		can(prctl(PR_SET_KEEPCAPS, 1));
		can(setresgid(s->uid, s->uid, s->uid));
		can(setresuid(s->uid, s->uid, s->uid));
		must(prctl(PR_SET_KEEPCAPS, 0));
	}
	/* Ambient before the securebits that forbid it; these need a capability that goes last. */
	if (s->ambient) {
		struct sets wide = *s;

		wide.permitted |= BIT(CAP_SETPCAP);
		wide.effective |= BIT(CAP_SETPCAP);
		capset_to(&wide);
		for (int cap = 0; cap < 41; cap++)
			if (s->ambient & BIT(cap))
				must(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0));
	}
	if (s->securebits)
		can(prctl(PR_SET_SECUREBITS, s->securebits));
	capset_to(s);
	if (s->keep)
		must(prctl(PR_SET_KEEPCAPS, 1));
	victim_here();
	victim_wait();

	must(syscall(SYS_capget, &head, data));
	permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
	effective = data[0].effective | (uint64_t)data[1].effective << 32;
	inheritable = data[0].inheritable | (uint64_t)data[1].inheritable << 32;
	check(permitted == s->permitted, "permitted: expected %lx, got %lx", s->permitted, permitted);
	check(effective == s->effective, "effective: expected %lx, got %lx", s->effective, effective);
	check(inheritable == s->inheritable, "inheritable: expected %lx, got %lx", s->inheritable, inheritable);
	for (int cap = 0; cap < 41; cap++) {
		int on = prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, cap, 0, 0);

		check(on == !!(s->ambient & BIT(cap)), "ambient %d: got %d", cap, on);
		if (s->dropped & BIT(cap))
			check(prctl(PR_CAPBSET_READ, cap) == 0, "bounding set: %d is there again", cap);
	}
	check((prctl(PR_GET_SECUREBITS) | SECBIT_KEEP_CAPS) == (int)(s->securebits | SECBIT_KEEP_CAPS),
	      "securebits: expected %x, got %x", s->securebits, prctl(PR_GET_SECUREBITS));
	check(prctl(PR_GET_KEEPCAPS) == s->keep, "keepcaps: expected %d, got %d", s->keep, prctl(PR_GET_KEEPCAPS));
}

int main(void)
{
	pid_t pids[COUNT(all)];
	size_t started = 0;

	if (geteuid() != 0)
		victim_skip("needs root");
	victim_gate();
	for (size_t i = 0; i < COUNT(all); i++) {
		/* In a user namespace with one id there is no other user. */
		if (all[i].uid && setegid(all[i].uid) == -1)
			continue;
		must(setegid(0));
		pids[started++] = victim_fork(child, &all[i]);
	}
	victim_all_here((int)started);
	victim_ready();
	victim_wait();
	for (size_t i = 0; i < started; i++)
		victim_join(pids[i]);
	return victim_end();
}
