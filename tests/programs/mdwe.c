/* SPDX-License-Identifier: BSD-3-Clause */
/* mdwe.c - a process that forbids itself memory that is writable and executable (PR_SET_MDWE) */
#include "victim.h"

#define PR_SET_MDWE_ 65 /* Linux 6.3 */
#define PR_GET_MDWE_ 66

int main(void)
{
	void *page;

	can(prctl(PR_SET_MDWE_, 1, 0, 0, 0));
	victim_ready();
	victim_wait();
	check(prctl(PR_GET_MDWE_, 0, 0, 0, 0) == 1, "MDWE: got %d", prctl(PR_GET_MDWE_, 0, 0, 0, 0));
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(mprotect(page, 4096, PROT_READ | PROT_EXEC) == -1 && errno == EACCES, "MDWE does not work any more");
	return victim_end();
}
