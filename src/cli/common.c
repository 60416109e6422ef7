/* SPDX-License-Identifier: BSD-3-Clause */
/* common.c - options, messages, progress and statistics of all commands */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "base/util.h"
#include "cli/cli.h"

enum { KEY_JSON = 0x1000, KEY_STATS };

static const struct argp_option common_options[] = {
	{ "stats", KEY_STATS, "FILE", 0, "Write times, sizes and counts to FILE as JSON ('-': standard output)", 10 },
	{ "json", KEY_JSON, NULL, 0, "Print the result as JSON", 10 }, /* [1]: the first without --stats */
	{ "verbose", 'v', NULL, 0, "Say more; twice: all details", 10 },
	{ "quiet", 'q', NULL, 0, "Say nothing but errors", 10 },
	{ NULL, 'h', NULL, OPTION_HIDDEN, NULL, 10 },
	{},
};

static error_t parse_common(int key, char *arg, struct argp_state *state)
{
	struct dn_cli *cli = state->input;

	switch (key) {
	case 'v': cli->verbosity = cli->verbosity < 0 ? 1 : cli->verbosity + 1; break;
	case 'q': cli->verbosity = -1; break;
	case KEY_JSON: cli->json = true; break;
	case KEY_STATS: cli->stats_file = arg; break;
	case 'h': argp_state_help(state, stdout, ARGP_HELP_STD_HELP); break;
	default: return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

void dn_cli_remove_bar(struct dn_cli *cli)
{
	if (cli->bar_ns)
		fputs("\r\033[K", stderr);
	cli->bar_ns = 0;
}

static void print_log(int level, const char *line, void *arg)
{
	struct dn_cli *cli = arg;

	if (level > cli->verbosity)
		return;
	dn_cli_remove_bar(cli);
	fprintf(stderr, "dunlin: %s%s\n", level == 0 ? "warning: " : "", line);
}

static error_t parse_root(int key, char *arg, struct argp_state *state)
{
	if (key != ARGP_KEY_INIT)
		return ARGP_ERR_UNKNOWN;
	state->child_inputs[0] = state->input;
	state->child_inputs[1] = state->input;
	return 0;
}

void dn_cli_parse(struct dn_cli *cli, const struct argp *argp, int argc, char **argv)
{
	const struct argp common = { common_options + (cli->no_stats ? 1 : 0), parse_common };
	/* argp prints the texts of every parser of the tree: let them stand at the root only. */
	const struct argp own = { argp->options, argp->parser, NULL, NULL, argp->children };
	const struct argp_child children[] = { { &own, 0, NULL, 1 }, { &common, 0, "Common options:", 10 }, {} };
	const struct argp root = { NULL, parse_root, argp->args_doc, argp->doc, children };

	argp_err_exit_status = DN_OUTCOME_USAGE;
	cli->started_ns = dn_now_ns();
	if (argp_parse(&root, argc, argv, 0, NULL, cli) != 0)
		exit(DN_OUTCOME_USAGE);
	dn_set_log(print_log, cli);
}

const char *dn_cli_size(uint64_t bytes)
{
	static char texts[4][32];
	static unsigned int next;
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	char *text = texts[next++ % DN_ARRAY_LEN(texts)];
	double value = (double)bytes;
	size_t unit = 0;

	if (bytes < 1024) {
		snprintf(text, sizeof(texts[0]), "%" PRIu64 " bytes", bytes);
		return text;
	}
	for (value /= 1024; value >= 1023.95 && unit + 1 < DN_ARRAY_LEN(units); unit++)
		value /= 1024;
	snprintf(text, sizeof(texts[0]), "%.1f %s", value, units[unit]);
	return text;
}

void dn_cli_progress(const char *phase, uint64_t done, uint64_t total, void *arg)
{
	enum { WIDTH = 40 };
	static const char full[WIDTH + 1] = "########################################";
	struct dn_cli *cli = arg;
	uint64_t now = dn_now_ns();

	if (cli->verbosity < 0 || now - cli->started_ns < 1000000000u || now - cli->bar_ns < 100000000u ||
	    !isatty(STDERR_FILENO))
		return;
	double part = total ? (double)DN_MIN(done, total) / (double)total : 0;
	cli->bar_ns = now;
	fprintf(stderr, "\r\033[K%-10s [%-*.*s] %3d%%", phase, WIDTH, (int)(part * WIDTH), full, (int)(part * 100));
	fflush(stderr);
}

static const struct {
	const char *name;
	size_t offset;
} times[] = {
	{ "total", offsetof(struct dn_stats, total_ns) }, { "frozen", offsetof(struct dn_stats, frozen_ns) },
	{ "hold", offsetof(struct dn_stats, hold_ns) },	  { "state", offsetof(struct dn_stats, state_ns) },
	{ "pages", offsetof(struct dn_stats, pages_ns) }, { "commit", offsetof(struct dn_stats, commit_ns) },
	{ "check", offsetof(struct dn_stats, check_ns) }, { "create", offsetof(struct dn_stats, create_ns) },
	{ "fill", offsetof(struct dn_stats, fill_ns) },	  { "finish", offsetof(struct dn_stats, finish_ns) },
};

/* 0 where it is of another command: a checkpoint has no phases of a restart. */
static uint64_t time_of(const struct dn_stats *s, size_t i)
{
	return *(const uint64_t *)((const char *)s + times[i].offset);
}

static void write_times(struct dn_json *j, const struct dn_stats *s)
{
	dn_json_object(j, "times_ms");
	for (size_t i = 0; i < DN_ARRAY_LEN(times); i++)
		if (time_of(s, i) || i == 0)
			dn_json_ms(j, times[i].name, time_of(s, i));
	dn_json_object_end(j);
}

void dn_cli_print_done(const struct dn_cli *cli, pid_t pid, const struct dn_stats *s, const char *what)
{
	fprintf(stderr, "dunlin: process %d", pid);
	if (s->processes > 1)
		fprintf(stderr, " and those below it (%u processes, %u threads)", s->processes, s->threads);
	else if (s->threads > 1)
		fprintf(stderr, " (%u threads)", s->threads);
	fprintf(stderr, ": %s in %.0f ms, %s\n", dn_cli_size(s->bytes), (double)s->total_ns / 1e6, what);
	if (cli->verbosity < 2)
		return;
	fprintf(stderr, "dunlin: %u mappings, %u descriptors, %" PRIu64 " pages", s->mappings, s->descriptors,
		s->pages);
	for (size_t i = 1; i < DN_ARRAY_LEN(times); i++)
		if (time_of(s, i))
			fprintf(stderr, "; %s %.1f ms", times[i].name, (double)time_of(s, i) / 1e6);
	fputc('\n', stderr);
}

int dn_cli_open_stats(struct dn_cli *cli, struct dn_error *err)
{
	if (!cli->stats_file)
		return 0;
	bool to_stdout = strcmp(cli->stats_file, "-") == 0;
	if (to_stdout && cli->stdout_taken)
		return dn_error_say(err, -EINVAL,
				    "--stats - and an image on standard output exclude each other: name a file");
	fflush(stdout);
	/* A duplicate: /dev/stdout opened anew would begin at the start of a file. */
	int fd = to_stdout ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
			   : open(cli->stats_file, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	if (fd >= 0)
		cli->stats = fdopen(fd, "w");
	if (cli->stats)
		return 0;
	dn_error_set(err, -errno, "cannot write the statistics to %s", cli->stats_file);
	if (fd >= 0)
		close(fd);
	return err->code;
}

void dn_cli_write_stats(struct dn_cli *cli, const char *operation, const struct dn_stats *s)
{
	struct stat st;

	if (!cli->stats)
		return;
	/* What an earlier run has written there. */
	bool failed = strcmp(cli->stats_file, "-") != 0 && fstat(fileno(cli->stats), &st) == 0 && S_ISREG(st.st_mode) &&
		      ftruncate(fileno(cli->stats), 0) < 0;
	struct dn_json j = DN_JSON_INIT(cli->stats);
	dn_json_object(&j, NULL);
	dn_json_text(&j, "operation", operation);
	write_times(&j, s);
	dn_json_uint(&j, "bytes", s->bytes);
	dn_json_uint(&j, "pages", s->pages);
	if (strcmp(operation, "checkpoint") == 0) { /* only the program could tell */
		dn_json_uint(&j, "zero_pages", s->zero_pages);
		dn_json_uint(&j, "shared_pages", s->shared_pages);
	}
	dn_json_uint(&j, "rounds", 1);
	dn_json_uint(&j, "processes", s->processes);
	dn_json_uint(&j, "threads", s->threads);
	dn_json_uint(&j, "mappings", s->mappings);
	dn_json_uint(&j, "descriptors", s->descriptors);
	dn_json_object_end(&j);
	failed = dn_json_finish(&j) < 0 || failed;
	if (fclose(cli->stats) != 0 || failed)
		dn_warn("cannot write the statistics to %s: is the disk full?", cli->stats_file);
	cli->stats = NULL;
}

int dn_cli_end(struct dn_cli *cli, int r, const struct dn_error *err)
{
	dn_cli_remove_bar(cli);
	dn_set_log(NULL, NULL);
	if (r >= 0)
		return 0;
	const char *text = err->text[0] ? err->text : strerror(-r);
	int status = err->outcome ? (int)err->outcome : DN_OUTCOME_FAILED;
	fprintf(stderr, "dunlin: %s\n", text);
	if (cli->json && !cli->stdout_taken) {
		struct dn_json j = DN_JSON_INIT(stdout);
		dn_json_object(&j, NULL);
		dn_json_text(&j, "status", status == DN_OUTCOME_REFUSED ? "refused" : "failed");
		dn_json_text(&j, "error", text);
		dn_json_object_end(&j);
		dn_json_finish(&j);
	}
	return status;
}
