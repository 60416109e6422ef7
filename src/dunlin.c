/* SPDX-License-Identifier: BSD-3-Clause */
/* dunlin.c - the public functions that are no operation */
#include "dunlin.h"

#include "base/log.h"

static void (*public_log)(int level, const char *line, void *arg);

static void forward(enum dn_log_level level, const char *line, void *arg)
{
	public_log((int)level, line, arg);
}

void dn_set_log(void (*fn)(int level, const char *line, void *arg), void *arg)
{
	public_log = fn;
	dn_log_set_sink(fn ? forward : NULL, arg);
}

const char *dn_version(void)
{
	return DN_VERSION;
}
