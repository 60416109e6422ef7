/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_checkpoint.c - dunlin checkpoint: a running program into a file */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/util.h"
#include "cli/cli.h"

struct arguments {
	struct dn_cli cli;
	const char *image;
	pid_t pid;
	struct dn_checkpoint_options options;
};

enum { KEY_KILL = 0x2000, KEY_WORKERS, KEY_HOLD_TIMEOUT };

static const struct argp_option options[] = {
	{ "output", 'o', "IMAGE", 0, "Where the image goes ('-': standard output)", 0 },
	{ "kill", KEY_KILL, NULL, 0, "End the program once the image is complete and on disk", 0 },
	{ "workers", KEY_WORKERS, "N", 0, "Threads that copy memory (one per processor, at most 4)", 0 },
	{ "hold-timeout", KEY_HOLD_TIMEOUT, "MS", 0, "How long to wait for a thread to stop (10000)", 0 },
	{},
};

static unsigned long number(const char *text, const char *what, unsigned long max, struct argp_state *state)
{
	char *end;

	errno = 0;
	unsigned long n = strtoul(text, &end, 10);
	if (errno || end == text || *end || n == 0 || n > max)
		argp_error(state, "%s is no %s", text, what);
	return n;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case 'o': a->image = arg; break;
	case KEY_KILL: a->options.kill = true; break;
	case KEY_WORKERS: a->options.workers = (unsigned int)number(arg, "number of threads", 64, state); break;
	case KEY_HOLD_TIMEOUT:
		a->options.hold_timeout_ms = (unsigned int)number(arg, "time in milliseconds", 3600000, state);
		break;
	case ARGP_KEY_ARG:
		if (a->pid)
			argp_error(state, "one process only: the tree below it is taken along");
		a->pid = (pid_t)number(arg, "process id", 4194304, state);
		break;
	case ARGP_KEY_END:
		if (!a->pid)
			argp_error(state, "which process? Give its process id");
		if (!a->image)
			argp_error(state, "where to? Give -o IMAGE, or -o - for standard output");
		break;
	default: return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static void print_result(const struct arguments *a, const struct dn_stats *s)
{
	if (a->cli.json && !a->cli.stdout_taken) {
		struct dn_json j = DN_JSON_INIT(stdout);
		dn_json_object(&j, NULL);
		dn_json_text(&j, "status", "done");
		dn_json_text(&j, "image", a->image);
		dn_json_uint(&j, "bytes", s->bytes);
		dn_json_uint(&j, "processes", s->processes);
		dn_json_uint(&j, "threads", s->threads);
		dn_json_ms(&j, "frozen_ms", s->frozen_ns);
		dn_json_ms(&j, "total_ms", s->total_ns);
		dn_json_object_end(&j);
		dn_json_finish(&j);
	} else if (a->cli.verbosity > 0 || (a->cli.verbosity == 0 && isatty(STDERR_FILENO))) {
		dn_cli_print_done(&a->cli, a->pid, s, a->options.kill ? "ended" : "runs on");
	}
}

static volatile int cancelled;

static void cancel(int sig)
{
	cancelled = sig;
}

int dn_cmd_checkpoint(int argc, char **argv)
{
	static const struct argp argp = {
		options,
		parse,
		"PID -o IMAGE",
		"Capture process PID and all processes below it into the file IMAGE. The program "
		"goes on running unless --kill is given.",
		NULL,
		NULL,
		NULL
	};
	struct arguments a = { .options = DN_CHECKPOINT_OPTIONS_INIT };
	struct dn_stats stats = {};
	struct dn_error err = {};

	dn_cli_parse(&a.cli, &argp, argc, argv);
	a.cli.stdout_taken = strcmp(a.image, "-") == 0;
	a.options.stats = &stats;
	a.options.progress = dn_cli_progress;
	a.options.progress_arg = &a.cli;
	a.options.cancel = &cancelled;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, cancel);
	signal(SIGTERM, cancel);
	signal(SIGHUP, cancel);
	int r = dn_cli_open_stats(&a.cli, &err);
	if (r == 0)
		r = dn_checkpoint(a.pid, a.image, &a.options, &err);
	dn_cli_remove_bar(&a.cli);
	if (r == 0)
		dn_cli_write_stats(&a.cli, "checkpoint", &stats);
	if (r == 0)
		print_result(&a, &stats);
	return dn_cli_end(&a.cli, r, &err);
}
