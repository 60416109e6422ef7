/* SPDX-License-Identifier: BSD-3-Clause */
/* refuse_seccomp.c - a process with a seccomp filter (that allows everything)
 *
 * refused: seccomp
 */
#include <linux/filter.h>
#include <linux/seccomp.h>

#include "victim.h"

int main(void)
{
	struct sock_filter allow[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
	struct sock_fprog program = { COUNT(allow), allow };

	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	can(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
	victim_ready();
	victim_wait();
	check(prctl(PR_GET_SECCOMP) == SECCOMP_MODE_FILTER, "the filter is gone");
	return victim_end();
}
