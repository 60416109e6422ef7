/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_inspect.c - dunlin inspect IMAGE */
#include <stdio.h>

#include "base/error.h"
#include "cli/cli.h"

struct arguments {
	struct dn_cli cli;
	const char *image;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case ARGP_KEY_ARG:
		if (a->image)
			argp_error(state, "one IMAGE at a time, not %s too", arg);
		a->image = arg;
		return 0;
	case ARGP_KEY_NO_ARGS: argp_error(state, "which IMAGE?"); return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

int dn_cmd_inspect(int argc, char **argv)
{
	static const struct argp argp = { NULL, parse, "IMAGE",
					  "Show what is inside IMAGE ('-': standard input), readable.\v"
					  "Page contents are counted, not checked: see dunlin verify." };
	struct arguments a = { .cli.no_stats = true };
	struct dn_error err = {};

	dn_cli_parse(&a.cli, &argp, argc, argv);
	int r = dn_inspect(a.image, a.cli.json, stdout, &err);
	return dn_cli_end(&a.cli, r, &err);
}
