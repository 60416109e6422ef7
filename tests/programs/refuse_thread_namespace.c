/* SPDX-License-Identifier: BSD-3-Clause */
/* refuse_thread_namespace.c - a thread with a namespace of its own, as programs that set up networks have
 *
 * refused: thread [0-9]+ .* namespace of its own
 */
#include <stdatomic.h>

#include "victim.h"

static atomic_int here;

static void *thread(void *arg)
{
	char name[] = "elsewhere", got[64] = "";

	if (unshare(CLONE_NEWUTS) < 0) {
		here = -1;
		return NULL;
	}
	must(sethostname(name, strlen(name)));
	here = 1;
	victim_wait();
	must(gethostname(got, sizeof(got)));
	check(strcmp(got, name) == 0, "the host is %s", got);
	return NULL;
}

int main(void)
{
	pthread_t t;

	must0(pthread_create(&t, NULL, thread, NULL));
	while (!here)
		victim_sleep_ms(1);
	if (here < 0)
		victim_skip("may not make a namespace");
	victim_ready();
	victim_wait();
	must0(pthread_join(t, NULL));
	return victim_end();
}
