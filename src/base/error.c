/* SPDX-License-Identifier: BSD-3-Clause */
/* error.c - errors that say what was tried on what */
#define DN_ERROR_IMPLEMENTATION
#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int set(struct dn_error *err, enum dn_outcome outcome, int code, bool reason, const char *fmt, va_list ap)
{
	if (!err)
		return code;
	err->outcome = outcome;
	err->code = code;
	int n = vsnprintf(err->text, sizeof(err->text), fmt, ap);
	if (reason && code && n >= 0 && (size_t)n < sizeof(err->text))
		snprintf(err->text + n, sizeof(err->text) - (size_t)n, ": %s", strerror(-code));
	return code;
}

int dn_error_set(struct dn_error *err, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set(err, DN_OUTCOME_FAILED, code, true, fmt, ap);
	va_end(ap);
	return code;
}

int dn_error_say(struct dn_error *err, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set(err, DN_OUTCOME_FAILED, code, false, fmt, ap);
	va_end(ap);
	return code;
}

int dn_error_refuse(struct dn_error *err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set(err, DN_OUTCOME_REFUSED, -ENOTSUP, false, fmt, ap);
	va_end(ap);
	return -ENOTSUP;
}

int dn_error_passing(struct dn_error *err)
{
	if (err)
		err->code = -EAGAIN;
	return -EAGAIN;
}

int dn_error_wrap(struct dn_error *err, const char *fmt, ...)
{
	char inner[DN_ERROR_TEXT_MAX];
	va_list ap;

	if (!err)
		return -EIO;
	memcpy(inner, err->text, sizeof(inner));
	va_start(ap, fmt);
	int n = vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof(err->text))
		snprintf(err->text + n, sizeof(err->text) - (size_t)n, ": %s", inner);
	return err->code;
}
