/* SPDX-License-Identifier: BSD-3-Clause */
/* error.h - errors that say what was tried on what
 *
 * Every function that can fail takes a struct dn_error * as its last parameter and returns 0 (or a
 * non-negative result) or -errno.  The text grows from the inside out: the place that failed sets
 * it, callers wrap it with what they were doing.  The library never prints: the CLI does.
 */
#pragma once

#include <stdarg.h>

#include "dunlin.h"

/* Sets the error and returns code (a negative errno).  When code is that of a failed system call,
 * end the text without the reason: ": strerror(code)" is appended.  err may be NULL. */
int dn_error_set(struct dn_error *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The same without strerror: for what no errno explains. */
int dn_error_say(struct dn_error *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Says "cannot be captured" (exit status 3).  Returns -ENOTSUP. */
int dn_error_refuse(struct dn_error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* What was just refused may be over in a moment: changes the code to -EAGAIN, and returns that. */
int dn_error_passing(struct dn_error *err);

/* Puts "context: " in front of what is there already; keeps code and outcome.  Returns err's code. */
int dn_error_wrap(struct dn_error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#if defined(__clang_analyzer__) && !defined(DN_ERROR_IMPLEMENTATION) /* it cannot know that these never return 0 */
#define DN_ERROR_CODE(call, code)                                                                                      \
	({                                                                                                             \
		int code_ = (code);                                                                                    \
		(void)(call);                                                                                          \
		if (code_ >= 0)                                                                                        \
			__builtin_unreachable();                                                                       \
		code_;                                                                                                 \
	})
#define dn_error_set(err, code, ...) DN_ERROR_CODE(dn_error_set(err, code_, __VA_ARGS__), code)
#define dn_error_say(err, code, ...) DN_ERROR_CODE(dn_error_say(err, code_, __VA_ARGS__), code)
#define dn_error_refuse(err, ...) DN_ERROR_CODE(dn_error_refuse(err, __VA_ARGS__), -95 /* ENOTSUP */)
#endif
