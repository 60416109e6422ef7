/* SPDX-License-Identifier: BSD-3-Clause */
/* refuse_eventfd.c - an event descriptor
 *
 * refused: event
 */
#include <sys/eventfd.h>

#include "victim.h"

int main(void)
{
	int fd = must(eventfd(42, EFD_NONBLOCK));
	eventfd_t value = 0;

	victim_ready();
	victim_wait();
	check(eventfd_read(fd, &value) == 0 && value == 42, "value: expected 42, got %lu", value);
	return victim_end();
}
