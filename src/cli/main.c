/* SPDX-License-Identifier: BSD-3-Clause */
/* main.c - the command line: one table */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "cli/cli.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *arguments;
	const char *description;
} commands[] = {
	{ "checkpoint", dn_cmd_checkpoint, "PID -o IMAGE", "capture a running program into a file" },
	{ "restart", dn_cmd_restart, "IMAGE", "bring the program in a file back to life" },
	{ "inspect", dn_cmd_inspect, "IMAGE", "show what is inside an image" },
	{ "verify", dn_cmd_verify, "IMAGE", "check every checksum of an image, start nothing" },
	{ "doctor", dn_cmd_doctor, "", "what this host and kernel support, and what is missing" },
	{},
};

static int usage(FILE *out, int status)
{
	fprintf(out, "Usage: dunlin COMMAND [OPTION...]\n\n"
		     "Checkpoint running programs to a file, and restart them from it.\n\nCommands:\n");
	for (size_t i = 0; commands[i].name; i++)
		fprintf(out, "  %-10s %-18s %s\n", commands[i].name, commands[i].arguments, commands[i].description);
	fprintf(out, "\n`dunlin COMMAND --help' tells the options of a command; `dunlin --version' the version.\n");
	return status;
}

/* No image must come to lie at a standard stream that is closed: what takes its place cannot be read, or
 * written, either. */
static void keep_standard_streams_free(void)
{
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
			_exit(DN_OUTCOME_FAILED);
}

int main(int argc, char **argv)
{
	char name[64];

	keep_standard_streams_free();
	if (argc < 2)
		return usage(stderr, DN_OUTCOME_USAGE);
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0)
		return usage(stdout, 0);
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		printf("dunlin %s\n", dn_version());
		return 0;
	}
	for (size_t i = 0; commands[i].name; i++) {
		if (strcmp(argv[1], commands[i].name) != 0)
			continue;
		snprintf(name, sizeof(name), "dunlin %s", commands[i].name);
		argv[1] = name;
		return commands[i].run(argc - 1, argv + 1);
	}
	fprintf(stderr, "dunlin: there is no command %s; `dunlin --help' lists those there are\n", argv[1]);
	return DN_OUTCOME_USAGE;
}
