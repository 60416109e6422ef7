/* SPDX-License-Identifier: BSD-3-Clause */
/* log.h - what the library tells beside its errors: warnings, and details on request
 *
 * The library does not print: it hands lines to a sink that the caller sets (the only mutable
 * global of the project).  Without one, nothing happens. */
#pragma once

enum dn_log_level { DN_LOG_WARNING, DN_LOG_INFO, DN_LOG_DEBUG };

typedef void dn_log_sink(enum dn_log_level level, const char *line, void *arg);

void dn_log_set_sink(dn_log_sink *sink, void *arg);
void dn_log(enum dn_log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define dn_warn(...) dn_log(DN_LOG_WARNING, __VA_ARGS__)
#define dn_info(...) dn_log(DN_LOG_INFO, __VA_ARGS__)
#define dn_debug(...) dn_log(DN_LOG_DEBUG, __VA_ARGS__)
