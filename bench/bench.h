/* SPDX-License-Identifier: BSD-3-Clause */
/* bench.h - what the parts of the benchmark share
 *
 * Theory of operation: every figure is a median of several runs, and every limit is measured in the same
 * run, in turn with what is compared to it: memory that the machine has not touched for a while can be ten
 * times slower than memory that was used a moment ago, so both must find the same conditions.  The first round
 * warms up and is thrown away.
 *
 * The limits are measured by a server process (limits.c), because this one must stay small: the peak memory
 * that the kernel tells of a command includes that of whoever started it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define BENCH_MAX_RUNS 99

/* ---- times (measure.c) ---- */

uint64_t bench_now_ns(void);

struct bench_series {
	uint64_t ns[BENCH_MAX_RUNS];
	size_t count;
};

void bench_add(struct bench_series *s, uint64_t ns);
double bench_median(const struct bench_series *s); /* seconds; 0 if empty */

/* Prints to standard error and ends the benchmark. */
void __attribute__((noreturn, format(printf, 1, 2))) bench_die(const char *fmt, ...);

/* ---- commands and programs (spawn.c) ---- */

struct bench_result {
	uint64_t ns;   /* from before the start until its end was seen */
	long peak_kib; /* most memory it had */
};

/* Runs a command to its end; ends the benchmark if that fails.  one_cpu: on a single processor. */
void bench_run(char *const argv[], bool one_cpu, struct bench_result *ret);

/* Starts `bench-program kind size` in a session of its own and waits until it is ready. */
pid_t bench_start(const char *kind, const char *size);
/* Kills all processes of a session started so, restarted ones too, and waits for their end. */
void bench_end(pid_t session);

/* ---- limits (limits.c) ---- */

enum bench_limit {
	LIMIT_QUIT,
	LIMIT_WRITE_TMPFS, /* one thread writes size bytes to a new file on tmpfs */
	LIMIT_POPULATE,	   /* MADV_POPULATE_WRITE of size bytes of 4 KiB pages, and memcpy to them */
	LIMIT_WRITE_DISK,  /* size bytes to a new file with O_DIRECT, and fdatasync */
	LIMIT_READ_DISK,   /* and back */
};

/* Starts the server.  tmpfs, disk: folders for its files. */
void bench_limits_start(size_t size, const char *tmpfs, const char *disk);
void bench_limits_stop(void);
/* Nanoseconds; UINT64_MAX if this cannot be measured here. */
uint64_t bench_limit_ns(enum bench_limit limit);
