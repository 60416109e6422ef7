/* SPDX-License-Identifier: BSD-3-Clause */
/* main.c - the command line: one table */
#include <stdio.h>

#include "dunlin.h"

int main(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	printf("dunlin %s\n", dn_version());
	return 0;
}
