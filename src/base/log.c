/* SPDX-License-Identifier: BSD-3-Clause */
/* log.c - lines for whoever listens */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

static dn_log_sink *log_sink;
static void *log_arg;

void dn_log_set_sink(dn_log_sink *sink, void *arg)
{
	log_sink = sink;
	log_arg = arg;
}

void dn_log(enum dn_log_level level, const char *fmt, ...)
{
	char line[2048];
	va_list ap;

	if (!log_sink)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	log_sink(level, line, log_arg);
}
