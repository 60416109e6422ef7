/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_doctor.c - dunlin doctor: what this host and kernel support */
#include <stdio.h>

#include "base/json.h"
#include "base/util.h"
#include "cli/cli.h"

struct doctor {
	struct dn_cli cli;
	struct dn_json json;
	int degraded;
	bool color;
};

static const char *const state_names[] = {
	[DN_DOCTOR_OK] = "ok", [DN_DOCTOR_DEGRADED] = "degraded", [DN_DOCTOR_MISSING] = "missing"
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	if (key == ARGP_KEY_ARG)
		argp_error(state, "doctor takes no arguments");
	return ARGP_ERR_UNKNOWN;
}

static void print_json(struct dn_json *j, const struct dn_doctor_result *result)
{
	dn_json_object(j, NULL);
	dn_json_text(j, "name", result->name);
	dn_json_text(j, "state", state_names[result->state]);
	dn_json_text(j, "purpose", result->purpose);
	dn_json_text(j, "detail", result->detail);
	if (result->state != DN_DOCTOR_OK)
		dn_json_text(j, "advice", result->advice);
	dn_json_object_end(j);
}

static void print_row(const struct doctor *d, const struct dn_doctor_result *result)
{
	static const char *const colors[] = {
		[DN_DOCTOR_OK] = "\033[32m", [DN_DOCTOR_DEGRADED] = "\033[33m", [DN_DOCTOR_MISSING] = "\033[31m"
	};

	if (d->cli.verbosity < 0 && result->state == DN_DOCTOR_OK)
		return;
	printf("%s%-8s%s  %-21s %s\n", d->color ? colors[result->state] : "", state_names[result->state],
	       d->color ? "\033[0m" : "", result->name, result->purpose);
	if (result->detail[0])
		printf("%32s %s\n", "", result->detail);
	if (result->state != DN_DOCTOR_OK)
		printf("%32s what to do: %s\n", "", result->advice);
	fflush(stdout); /* a line as soon as it is known */
}

static void print(const struct dn_doctor_result *result, void *arg)
{
	struct doctor *d = arg;

	d->degraded += result->state == DN_DOCTOR_DEGRADED;
	if (d->cli.json)
		print_json(&d->json, result);
	else
		print_row(d, result);
}

int dn_cmd_doctor(int argc, char **argv)
{
	static const struct argp argp = {
		NULL, parse, "",
		"Tell what this host and its kernel support, by trying it.\v"
		"The exit status is 0 if checkpoint and restart can work here, 1 if something that "
		"they require is missing.  What is degraded costs speed, or a kind of state that few "
		"programs have."
	};
	struct doctor d = { .cli.no_stats = true, .json = DN_JSON_INIT(stdout) };
	struct dn_error err = {};

	dn_cli_parse(&d.cli, &argp, argc, argv);
	d.color = isatty(STDOUT_FILENO);
	if (d.cli.json) {
		dn_json_object(&d.json, NULL);
		dn_json_text(&d.json, "version", dn_version());
		dn_json_array(&d.json, "checks");
	}
	int missing = dn_doctor(print, &d);
	if (d.cli.json) {
		dn_json_array_end(&d.json);
		dn_json_uint(&d.json, "degraded", (uint64_t)d.degraded);
		dn_json_uint(&d.json, "missing", (uint64_t)missing);
		dn_json_object_end(&d.json);
		dn_json_finish(&d.json);
	} else if (d.cli.verbosity >= 0) {
		printf("\n%s: %d missing, %d degraded\n",
		       missing ? "Checkpoint and restart cannot work here" : "Checkpoint and restart can work here",
		       missing, d.degraded);
	}
	(void)err;
	return dn_cli_end(&d.cli, 0, &err) ?: (missing ? DN_OUTCOME_FAILED : 0);
}
