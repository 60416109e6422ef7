/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_guard_shared.c - guard regions over files and shared memory, whose content is there still
 *
 * not: user userns (only root can read what lies under them: behaviour/no_access)
 */
#include "state.h"

int main(void)
{
	int fd = make_file(in_dir("file"), 8 * PAGE, 1);
	char *shared = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	char *private = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	char *memory = map_shared(8 * PAGE);

	NEED(shared != MAP_FAILED && private != MAP_FAILED);
	fill(memory, 8 * PAGE, 2);
	fill(private + 4 * PAGE, PAGE, 3);
	can(madvise(shared + 2 * PAGE, PAGE, MADV_GUARD_INSTALL)); /* in files since Linux 6.15 */
	NEED(madvise(private + 3 * PAGE, PAGE, MADV_GUARD_INSTALL) == 0);
	NEED(madvise(memory + 5 * PAGE, 2 * PAGE, MADV_GUARD_INSTALL) == 0);

	hold();

	check(signal_of_access(shared + 2 * PAGE, false) == SIGSEGV, "no guard over a shared file");
	check(signal_of_access(private + 3 * PAGE, false) == SIGSEGV, "no guard over a private file");
	check(signal_of_access(memory + 6 * PAGE, false) == SIGSEGV, "no guard over shared memory");
	check(filled(private + 4 * PAGE, PAGE, 3), "private content differs");
	NEED(madvise(shared + 2 * PAGE, PAGE, MADV_GUARD_REMOVE) == 0);
	NEED(madvise(memory + 5 * PAGE, 2 * PAGE, MADV_GUARD_REMOVE) == 0);
	check(filled(shared, 8 * PAGE, 1) && filled(memory, 8 * PAGE, 2), "content under a guard differs");
	return victim_end();
}
