/* SPDX-License-Identifier: BSD-3-Clause */
/* cli.h - the commands, and what they share
 *
 * A command is one file with one function: it parses its arguments with argp, calls one function of
 * the library, and prints.
 *
 *	struct arguments { struct dn_cli cli; ... };	// cli first: the common options go there
 *	static const struct argp argp = { options, parse, "IMAGE", "What it does." };
 *
 *	struct arguments a = {};
 *	dn_cli_parse(&a.cli, &argp, argc, argv);	// parse() gets &a as state->input
 *	int r = dn_...(..., &err);
 *	return dn_cli_end(&a.cli, r, &err);
 */
#pragma once

#include <argp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "dunlin.h"

/* Each returns dunlin's exit status; argv[0] is "dunlin NAME". */
int dn_cmd_checkpoint(int argc, char **argv);
int dn_cmd_restart(int argc, char **argv);
int dn_cmd_inspect(int argc, char **argv);
int dn_cmd_verify(int argc, char **argv);
int dn_cmd_doctor(int argc, char **argv);

/* What the common options say: -q, -v, -vv, --json, --stats FILE.  Start with all zeroes. */
struct dn_cli {
	int verbosity; /* -1: -q, 0, 1: -v, 2: -vv */
	bool json;
	bool no_stats;		/* set before parsing: the command has no --stats */
	const char *stats_file; /* NULL: not wanted */
	FILE *stats;		/* the same, once opened */
	bool stdout_taken;	/* standard output carries an image: print nothing else there */
	uint64_t started_ns;	/* CLOCK_MONOTONIC */
	uint64_t bar_ns;	/* when the progress bar was drawn last, 0: never */
};

/* Parses argp's options and the common ones, and makes the library's log lines appear on standard error
 * as asked for by -q and -v.  Wrong usage (argp_error, argp_usage) ends the process with status 2,
 * --help with 0. */
void dn_cli_parse(struct dn_cli *cli, const struct argp *argp, int argc, char **argv);

/* Draws a progress bar on a terminal for what takes longer than a second; arg is the struct dn_cli.
 * One thread at a time. */
void dn_cli_progress(const char *phase, uint64_t done, uint64_t total, void *arg);

/* Before anything else is printed on standard error. */
void dn_cli_remove_bar(struct dn_cli *cli);

/* Opens the file that --stats names, if it does: before anything is done that cannot be undone. */
int dn_cli_open_stats(struct dn_cli *cli, struct dn_error *err);
/* Writes what happened to it as JSON.  It has happened: what fails is a warning. */
void dn_cli_write_stats(struct dn_cli *cli, const char *operation, const struct dn_stats *stats);

/* dunlin beside the program that it restarted. */
struct dn_company {
	sigset_t signals; /* that are passed on */
	pid_t pid;	  /* the root */
	int tty;	  /* -1: none */
	pid_t front;	  /* the program's process group that is to be in the foreground */
	bool given;	  /* the terminal is the program's; at first: it can be given */
};

/* Before the restart: blocks all signals, for the program. */
void dn_company_init(struct dn_company *c);
/* Until the program's end, which becomes dunlin's. */
void dn_company_keep(struct dn_company *c, pid_t pid) __attribute__((noreturn));

/* Removes the bar, says what went wrong if r < 0 (with --json on standard output as well) and
 * returns the exit status for it. */
int dn_cli_end(struct dn_cli *cli, int r, const struct dn_error *err);

/* One line on standard error, with -vv a second one: "process 12: 1.5 MiB in 3 ms, WHAT". */
void dn_cli_print_done(const struct dn_cli *cli, pid_t pid, const struct dn_stats *s, const char *what);

/* "1.5 MiB" in a static place per call within one expression (up to four at once). */
const char *dn_cli_size(uint64_t bytes);
