/* SPDX-License-Identifier: BSD-3-Clause */
/* thread_credentials.c - threads of one process with credentials of their own (by raw system calls)
 *
 * not: user userns (an ordinary user has one id)
 */
#include <linux/capability.h>
#include <stdatomic.h>

#include "victim.h"

static atomic_int here;

static void *as_user(void *arg)
{
	uid_t uid = (uid_t)(uintptr_t)arg, r, e, s;
	gid_t groups[2] = { uid + 1, uid + 2 }, now[8];

	can(syscall(SYS_setgroups, 2, groups));
	can(syscall(SYS_setresgid, uid, uid, uid));
	can(syscall(SYS_setresuid, uid, uid, 0));
	here++;
	victim_wait();
	must(syscall(SYS_getresuid, &r, &e, &s));
	check(r == uid && e == uid && s == 0, "uids of thread %u: %u %u %u", uid, r, e, s);
	must(syscall(SYS_getresgid, &r, &e, &s));
	check(r == uid && e == uid && s == uid, "gids of thread %u: %u %u %u", uid, r, e, s);
	check(syscall(SYS_getgroups, 8, now) == 2 && now[0] == uid + 1 && now[1] == uid + 2, "groups of thread %u",
	      uid);
	return NULL;
}

static void *without_capabilities(void *arg)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = { { .permitted = 1, .effective = 1 } }, now[2];

	can(prctl(PR_CAPBSET_DROP, CAP_NET_RAW));
	can(syscall(SYS_capset, &head, data));
	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	here++;
	victim_wait();
	must(syscall(SYS_capget, &head, now));
	check(now[0].permitted == 1 && now[0].effective == 1 && now[1].permitted == 0, "capabilities: %x %x %x",
	      now[0].permitted, now[0].effective, now[1].permitted);
	check(prctl(PR_CAPBSET_READ, CAP_NET_RAW) == 0, "the bounding set is whole again");
	check(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1, "no_new_privs is lost");
	return NULL;
}

int main(void)
{
	pthread_t threads[4];
	uid_t r = 1, e = 1, s = 1;

	if (geteuid() != 0)
		victim_skip("needs root");
	for (int i = 0; i < 3; i++)
		must0(pthread_create(&threads[i], NULL, as_user, (void *)(uintptr_t)(1000 + 10 * i)));
	must0(pthread_create(&threads[3], NULL, without_capabilities, NULL));
	while (here < 4)
		victim_sleep_ms(1);
	victim_ready();
	victim_wait();
	must(syscall(SYS_getresuid, &r, &e, &s));
	check(r == 0 && e == 0 && s == 0, "uids of the main thread: %u %u %u", r, e, s);
	check(prctl(PR_CAPBSET_READ, CAP_NET_RAW) == 1, "the main thread's bounding set lost CAP_NET_RAW");
	check(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0, "no_new_privs of the main thread is set");
	for (int i = 0; i < 4; i++)
		must0(pthread_join(threads[i], NULL));
	return victim_end();
}
