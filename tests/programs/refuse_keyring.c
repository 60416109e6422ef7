/* SPDX-License-Identifier: BSD-3-Clause */
/* refuse_keyring.c - a key in the keyring of the process
 *
 * refused: keyring
 */
#include <linux/keyctl.h>

#include "victim.h"

int main(void)
{
	char content[8];
	long key = can(syscall(SYS_add_key, "user", "dunlin-test", "abc", 3, KEY_SPEC_PROCESS_KEYRING));

	victim_ready();
	victim_wait();
	check(syscall(SYS_keyctl, KEYCTL_READ, key, content, sizeof(content)) == 3, "the key: %s", strerror(errno));
	return victim_end();
}
