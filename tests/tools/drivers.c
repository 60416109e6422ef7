/* SPDX-License-Identifier: BSD-3-Clause */
/* drivers.c - prints the name of every driver that dunlin was built with: what the README must name */
#include <stdio.h>

#include "resource/resource.h"

int main(void)
{
	for (const struct dn_file_driver *const *d = dn_file_drivers; *d; d++)
		puts((*d)->name);
	for (const struct dn_task_driver *const *d = dn_task_drivers; *d; d++)
		puts((*d)->name);
	return 0;
}
