/* SPDX-License-Identifier: BSD-3-Clause */
/* measure.c - times and their medians */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"

uint64_t bench_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void bench_add(struct bench_series *s, uint64_t ns)
{
	if (s->count < BENCH_MAX_RUNS)
		s->ns[s->count++] = ns;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

double bench_median(const struct bench_series *s)
{
	uint64_t sorted[BENCH_MAX_RUNS];

	if (s->count == 0)
		return 0;
	memcpy(sorted, s->ns, s->count * sizeof(sorted[0]));
	qsort(sorted, s->count, sizeof(sorted[0]), compare);
	size_t middle = s->count / 2;
	uint64_t twice = s->count % 2 ? 2 * sorted[middle] : sorted[middle - 1] + sorted[middle];
	return (double)twice / 2e9;
}

void bench_die(const char *fmt, ...)
{
	va_list ap;

	fputs("bench: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}
