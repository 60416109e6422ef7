/* SPDX-License-Identifier: BSD-3-Clause */
/* refuse_segments.c - a local descriptor table, as emulators of other systems have
 *
 * refused: local descriptor table
 */
#include <asm/ldt.h>

#include "victim.h"

int main(void)
{
	struct user_desc d = { .entry_number = 3, .base_addr = 0x1000, .limit = 0xfff, .seg_32bit = 1, .useable = 1 };
	char table[8192];
	long size;

	can((int)syscall(SYS_modify_ldt, 1, &d, sizeof(d)));
	size = syscall(SYS_modify_ldt, 0, table, sizeof(table));
	victim_ready();
	victim_wait();
	check(size > 0 && syscall(SYS_modify_ldt, 0, table, sizeof(table)) == size, "the table is gone");
	return victim_end();
}
