/* SPDX-License-Identifier: BSD-3-Clause */
/* limits_reached.c - a program that may have no descriptor and no memory more than it has */
#include "victim.h"

int main(void)
{
	char *later = strdup(victim_path("my-ready")), *ready = strdup(victim_path("ready"));
	struct rlimit limit;
	int last = -1;

	/* victim_ready() would need a descriptor. */
	close(must(open(later, O_WRONLY | O_CREAT, 0644)));
	must(getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = 20;
	must(setrlimit(RLIMIT_NOFILE, &limit));
	for (int fd; (fd = open("/dev/null", O_RDONLY)) >= 0;)
		last = fd;
	check(errno == EMFILE && last >= 0, "there are more descriptors to be had");
	must(getrlimit(RLIMIT_AS, &limit));
	limit.rlim_cur = 4096;
	must(setrlimit(RLIMIT_AS, &limit));
	if (victim_dir())
		must(rename(later, ready));
	victim_wait();
	check(open("/dev/null", O_RDONLY) == -1 && errno == EMFILE, "the limit of descriptors does not hold any more");
	check(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED,
	      "the limit of memory does not hold any more");
	must(getrlimit(RLIMIT_NOFILE, &limit));
	check(limit.rlim_cur == 20, "the limit of descriptors is %lu", (unsigned long)limit.rlim_cur);
	must(getrlimit(RLIMIT_AS, &limit));
	check(limit.rlim_cur == 4096, "the limit of memory is %lu", (unsigned long)limit.rlim_cur);
	limit.rlim_cur = limit.rlim_max;
	must(setrlimit(RLIMIT_AS, &limit));
	close(last);
	return victim_end();
}
