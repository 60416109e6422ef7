/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_restart.c - dunlin restart: a program out of a file, in the foreground or on its own */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "base/json.h"
#include "base/util.h"
#include "cli/cli.h"

struct arguments {
	struct dn_cli cli;
	const char *image;
	struct dn_restart_options options;
};

enum { KEY_DETACH = 0x2000, KEY_ROLLBACK, KEY_WORKERS };

static const struct argp_option options[] = {
	{ "detach", KEY_DETACH, NULL, 0, "Return as soon as the program runs", 0 },
	{ "rollback-files", KEY_ROLLBACK, NULL, 0,
	  "Cut files that the program was writing, and that have grown since, back to their size at the checkpoint",
	  0 },
	{ "workers", KEY_WORKERS, "N", 0, "Threads that copy memory (one per processor, at most 4)", 0 },
	{},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;
	char *end;

	switch (key) {
	case KEY_DETACH: a->options.detach = true; break;
	case KEY_ROLLBACK: a->options.rollback_files = true; break;
	case KEY_WORKERS:
		a->options.workers = (unsigned int)strtoul(arg, &end, 10);
		if (end == arg || *end || a->options.workers == 0 || a->options.workers > 64)
			argp_error(state, "%s is no number of threads", arg);
		break;
	case ARGP_KEY_ARG:
		if (a->image)
			argp_error(state, "one image only");
		a->image = arg;
		break;
	case ARGP_KEY_END:
		if (!a->image)
			argp_error(state, "which image? Give its file, or - for standard input");
		break;
	default: return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

/* Off with the bar before the program runs and prints. */
static void progress(const char *phase, uint64_t done, uint64_t total, void *arg)
{
	if (done < total)
		dn_cli_progress(phase, done, total, arg);
	else
		dn_cli_remove_bar(arg);
}

static void print_result(const struct arguments *a, const struct dn_stats *s, pid_t pid)
{
	if (a->cli.json) {
		struct dn_json j = DN_JSON_INIT(stdout);
		dn_json_object(&j, NULL);
		dn_json_text(&j, "status", "done");
		dn_json_uint(&j, "pid", (uint64_t)pid);
		dn_json_uint(&j, "processes", s->processes);
		dn_json_uint(&j, "threads", s->threads);
		dn_json_ms(&j, "total_ms", s->total_ns);
		dn_json_object_end(&j);
		dn_json_finish(&j);
		fflush(stdout);
	} else if (a->cli.verbosity > 0) {
		dn_cli_print_done(&a->cli, pid, s, "runs again");
	}
}

int dn_cmd_restart(int argc, char **argv)
{
	static const struct argp argp = {
		options,
		parse,
		"IMAGE",
		"Bring the program in IMAGE back to life ('-': standard input). In the foreground, "
		"dunlin passes signals on to it and ends with its exit status.",
		NULL,
		NULL,
		NULL
	};
	struct arguments a = { .options = DN_RESTART_OPTIONS_INIT };
	struct dn_stats stats = {};
	struct dn_error err = {};
	struct dn_company company;
	pid_t pid = 0;
	int r;

	dn_cli_parse(&a.cli, &argp, argc, argv);
	a.options.stats = &stats;
	a.options.progress = progress;
	a.options.progress_arg = &a.cli;
	if (a.options.detach && getpid() == 1) {
		r = dn_error_say(&err, -EINVAL,
				 "dunlin is process 1 of this pid namespace, which ends with it and takes the program "
				 "along: restart without --detach");
		return dn_cli_end(&a.cli, r, &err);
	}
	signal(SIGCHLD, SIG_DFL); /* whoever started dunlin may have ignored it */
	if (!a.options.detach)
		dn_company_init(&company);
	r = dn_cli_open_stats(&a.cli, &err);
	if (r == 0)
		r = dn_restart(a.image, &a.options, &pid, &err);
	if (r == 0)
		dn_cli_write_stats(&a.cli, "restart", &stats);
	if (r == 0)
		print_result(&a, &stats, pid);
	if (r == 0 && !a.options.detach)
		dn_company_keep(&company, pid);
	return dn_cli_end(&a.cli, r, &err);
}
