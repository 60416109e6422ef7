/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_verify.c - dunlin verify IMAGE */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
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

static int print(const struct arguments *a, const struct dn_stats *s, struct dn_error *err)
{
	const char *name = strcmp(a->image, "-") == 0 ? "the image on standard input" : a->image;

	if (a->cli.json) {
		struct dn_json j = DN_JSON_INIT(stdout);
		dn_json_object(&j, NULL);
		dn_json_text(&j, "status", "intact");
		dn_json_text(&j, "image", a->image);
		dn_json_uint(&j, "bytes", s->bytes);
		dn_json_uint(&j, "pages", s->pages);
		dn_json_uint(&j, "processes", s->processes);
		dn_json_uint(&j, "threads", s->threads);
		dn_json_ms(&j, "total_ms", s->total_ns);
		dn_json_object_end(&j);
		if (dn_json_finish(&j) < 0)
			return dn_error_say(err, -EIO, "cannot write to standard output");
	} else if (a->cli.verbosity >= 0) {
		printf("%s is intact: %" PRIu32 " %s, %" PRIu32 " %s, %" PRIu64 " pages, %s\n", name, s->processes,
		       s->processes == 1 ? "process" : "processes", s->threads, s->threads == 1 ? "thread" : "threads",
		       s->pages, dn_cli_size(s->bytes));
		if (fflush(stdout) != 0)
			return dn_error_set(err, -errno, "cannot write to standard output");
	}
	return 0;
}

int dn_cmd_verify(int argc, char **argv)
{
	static const struct argp argp = { NULL, parse, "IMAGE",
					  "Check every checksum of IMAGE ('-': standard input); start nothing." };
	struct arguments a = {};
	struct dn_error err = {};
	struct dn_stats stats = {};

	dn_cli_parse(&a.cli, &argp, argc, argv);
	int r = dn_cli_open_stats(&a.cli, &err);
	if (r == 0)
		r = dn_verify(a.image, &stats, &err);
	if (r >= 0)
		r = print(&a, &stats, &err);
	if (r >= 0)
		dn_cli_write_stats(&a.cli, "verify", &stats);
	return dn_cli_end(&a.cli, r, &err);
}
