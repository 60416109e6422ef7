/* SPDX-License-Identifier: BSD-3-Clause */
/* main.c - the benchmark: how fast dunlin is, beside what this machine can do
 *
 *	bench [--quick] [--json] [--tmpfs FOLDER] [--disk FOLDER] [--dunlin FILE] [GROUP...]
 *
 * Groups: pages small threads processes mappings descriptors disk (default: all).  Prints one line for each
 * figure: what, its median, the limit, the ratio of both, and whether it is within what was promised.  The exit
 * status tells whether everything worked, not whether it was fast.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"

struct bench {
	const char *dunlin;
	char tmpfs[512], disk[512]; /* own folders */
	size_t runs, mib;
	bool json, first;
	double true_s; /* starting /bin/true */
	long peak_kib;
};

static struct bench bench = { .dunlin = "build/dunlin", .runs = 7, .mib = 1024, .first = true };

/* ================= the table ================= */

static void head(void)
{
	if (bench.json)
		printf("[");
	else
		printf("%-46s %10s %10s %-20s %6s %7s\n", "what (medians)", "measured", "limit", "", "ratio",
		       "allowed");
}

/* allowed: the largest ratio that was promised, 0: none was. */
static void row(const char *what, double value, double limit, const char *limit_name, double allowed, const char *unit)
{
	double ratio = limit > 0 ? value / limit : 0;
	const char *verdict = allowed <= 0 ? "" : ratio <= allowed ? "ok" : "MISS";

	if (bench.json) {
		printf("%s\n  {\"what\": \"%s\", \"unit\": \"%s\", \"measured\": %.6f, \"limit\": %.6f, "
		       "\"limit_name\": \"%s\", "
		       "\"ratio\": %.3f, \"allowed\": %.2f, \"ok\": %s}",
		       bench.first ? "" : ",", what, unit, value, limit, limit_name, ratio, allowed,
		       allowed <= 0	  ? "null"
		       : ratio <= allowed ? "true"
					  : "false");
		bench.first = false;
	} else if (limit <= 0) {
		printf("%-46s %8.3f %-2s\n", what, value, unit);
	} else if (allowed <= 0) {
		printf("%-46s %8.3f %-2s %7.3f %-2s %-20s %5.2f x\n", what, value, unit, limit, unit, limit_name,
		       ratio);
	} else {
		printf("%-46s %8.3f %-2s %7.3f %-2s %-20s %5.2f x %5.2f x %s\n", what, value, unit, limit, unit,
		       limit_name, ratio, allowed, verdict);
	}
	fflush(stdout);
}

/* ================= dunlin ================= */

static void note_peak(const struct bench_result *r)
{
	if (r->peak_kib > bench.peak_kib)
		bench.peak_kib = r->peak_kib;
}

/* times_ms.frozen of a statistics file, as nanoseconds. */
static uint64_t read_frozen(const char *path)
{
	char text[4096];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n < 0)
		bench_die("cannot read %s: %s", path, strerror(errno));
	close(fd);
	text[n] = '\0';
	const char *field = strstr(text, "\"frozen\":");
	if (!field)
		bench_die("%s tells no frozen time", path);
	return (uint64_t)(strtod(field + strlen("\"frozen\":"), NULL) * 1e6);
}

static void checkpoint(pid_t pid, const char *image, bool kill, bool one_cpu, struct bench_series *wall,
		       struct bench_series *frozen)
{
	char target[16], stats[1024];
	char *argv[] = { (char *)bench.dunlin,	 "checkpoint", target, "-o", (char *)image, "-q", "--stats", stats,
			 kill ? "--kill" : NULL, NULL };
	struct bench_result r;

	snprintf(target, sizeof(target), "%d", pid);
	snprintf(stats, sizeof(stats), "%s/stats", bench.tmpfs);
	unlink(image);
	bench_run(argv, one_cpu, &r);
	note_peak(&r);
	if (wall)
		bench_add(wall, r.ns);
	if (frozen)
		bench_add(frozen, read_frozen(stats));
	unlink(stats);
}

static void restart(const char *image, bool one_cpu, struct bench_series *wall)
{
	char *argv[] = { (char *)bench.dunlin, "restart", (char *)image, "--detach", "-q", NULL };
	struct bench_result r;

	bench_run(argv, one_cpu, &r);
	note_peak(&r);
	if (wall)
		bench_add(wall, r.ns);
}

static void path_in(char *buf, size_t size, const char *folder, const char *name)
{
	if ((size_t)snprintf(buf, size, "%s/%s", folder, name) >= size)
		bench_die("the name %s is too long", folder);
}

/* ================= the groups ================= */

static const char *gib(const char *fmt)
{
	static char texts[4][64];
	static unsigned int next;
	char size[16], *text = texts[next++ % 4];

	snprintf(size, sizeof(size), bench.mib % 1024 ? "%zu MiB" : "%zu GiB",
		 bench.mib % 1024 ? bench.mib : bench.mib / 1024);
	snprintf(text, sizeof(texts[0]), fmt, size);
	return text;
}

static pid_t start_pages(void)
{
	char size[16];

	snprintf(size, sizeof(size), "%zu", bench.mib);
	return bench_start("pages", size);
}

static void measure_checkpoints(pid_t pid, const char *image, enum bench_limit limit, struct bench_series *limits,
				struct bench_series *wall, struct bench_series *frozen, struct bench_series *one)
{
	for (size_t i = 0; i <= bench.runs; i++) {
		bool warming = i == 0;
		uint64_t ns = bench_limit_ns(limit);
		if (!warming)
			bench_add(limits, ns);
		checkpoint(pid, image, false, false, warming ? NULL : wall, warming ? NULL : frozen);
		unlink(image);
		if (warming || !one)
			continue;
		checkpoint(pid, image, false, true, one, NULL);
		unlink(image);
	}
}

/* The image is there, the program is not. */
static void measure_restarts(pid_t pid, const char *image, enum bench_limit limit, bool cold,
			     struct bench_series *limits, struct bench_series *wall, struct bench_series *one)
{
	for (size_t i = 0; i <= bench.runs; i++) {
		for (int cpus = 0; cpus < (one ? 2 : 1); cpus++) {
			uint64_t ns = bench_limit_ns(limit);
			if (i > 0 && cpus == 0)
				bench_add(limits, ns);
			int fd = open(image, O_RDONLY | O_CLOEXEC);
			if (cold && fd >= 0)
				posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
			close(fd);
			restart(image, cpus == 1, i == 0 ? NULL : cpus == 1 ? one : wall);
			bench_end(pid);
		}
	}
}

static void group_pages(void)
{
	struct bench_series limits = {}, wall = {}, frozen = {}, one = {};
	char image[1024];

	path_in(image, sizeof(image), bench.tmpfs, "image");
	pid_t pid = start_pages();
	measure_checkpoints(pid, image, LIMIT_WRITE_TMPFS, &limits, &wall, &frozen, &one);
	double limit = bench_median(&limits);
	row(gib("checkpoint %s of 4 KiB pages to tmpfs"), bench_median(&wall), limit, "one thread writing", 1.2, "s");
	row("  the program is frozen", bench_median(&frozen), limit, "one thread writing", 1.2, "s");
	row("  with one processor", bench_median(&one), limit, "one thread writing", 0, "s");

	checkpoint(pid, image, true, false, NULL, NULL);
	bench_end(pid);
	limits = wall = one = (struct bench_series){};
	measure_restarts(pid, image, LIMIT_POPULATE, false, &limits, &wall, &one);
	limit = bench_median(&limits);
	row("restart it", bench_median(&wall), limit, "populate + memcpy", 1.0, "s");
	row("  with one processor", bench_median(&one), limit, "populate + memcpy", 0, "s");
	unlink(image);
}

static void group_disk(void)
{
	struct bench_series limits = {}, wall = {}, frozen = {};
	char image[1024];

	if (bench_limit_ns(LIMIT_WRITE_DISK) == UINT64_MAX) {
		if (!bench.json)
			printf("to disk: skipped, no O_DIRECT or no room in %s\n", bench.disk);
		return;
	}
	path_in(image, sizeof(image), bench.disk, "image");
	pid_t pid = start_pages();
	measure_checkpoints(pid, image, LIMIT_WRITE_DISK, &limits, &wall, &frozen, NULL);
	double limit = bench_median(&limits);
	row(gib("checkpoint %s to disk"), bench_median(&wall), limit, "O_DIRECT writing", 1.2, "s");
	row("  the program is frozen", bench_median(&frozen), limit, "O_DIRECT writing", 0, "s");

	checkpoint(pid, image, true, false, NULL, NULL);
	bench_end(pid);
	limits = wall = (struct bench_series){};
	measure_restarts(pid, image, LIMIT_READ_DISK, true, &limits, &wall, NULL);
	row("restart it from disk", bench_median(&wall), bench_median(&limits), "O_DIRECT reading", 0, "s");
	unlink(image);
}

/* What does not depend on the size of memory: seconds above starting /bin/true. */
static void counted(const char *kind, const char *size, const char *what, double out, double back, const char *unit)
{
	double scale = strcmp(unit, "ms") == 0 ? 1e3 : 1;
	struct bench_series nothing = {}, outs = {}, backs = {};
	char *const true_argv[] = { "/bin/true", NULL };
	char image[1024], name[64];
	struct bench_result r;

	path_in(image, sizeof(image), bench.tmpfs, "image");
	pid_t pid = bench_start(kind, size);
	for (size_t i = 0; i <= bench.runs; i++) {
		bool warming = i == 0;
		bench_run(true_argv, false, &r);
		if (!warming)
			bench_add(&nothing, r.ns);
		checkpoint(pid, image, false, false, warming ? NULL : &outs, NULL);
		checkpoint(pid, image, true, false, NULL, NULL);
		restart(image, false, warming ? NULL : &backs);
	}
	bench_end(pid);
	unlink(image);
	double zero = bench_median(&nothing);
	snprintf(name, sizeof(name), "checkpoint %s", what);
	row(name, (bench_median(&outs) - zero) * scale, out, out > 0 ? "above /bin/true" : "", out > 0 ? 1 : 0, unit);
	row("restart it", (bench_median(&backs) - zero) * scale, back, back > 0 ? "above /bin/true" : "",
	    back > 0 ? 1 : 0, unit);
}

static void group_descriptors(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_max < 10100) {
		if (!bench.json)
			printf("10,000 descriptors: skipped, `ulimit -Hn' is %" PRIu64 "\n", (uint64_t)limit.rlim_max);
		return;
	}
	counted("descriptors", "10000", "10,000 descriptors", 0, 0, "s");
}

static bool wanted(char **groups, const char *name)
{
	if (!*groups)
		return true;
	for (; *groups; groups++)
		if (strcmp(*groups, name) == 0)
			return true;
	return false;
}

static void run_groups(char **groups)
{
	head();
	if (wanted(groups, "pages"))
		group_pages();
	if (wanted(groups, "small"))
		counted("pages", "1", "a process of 1 MiB", 10, 15, "ms");
	if (wanted(groups, "threads"))
		counted("threads", "1000", "1,000 threads", 0.25, 0.25, "s");
	if (wanted(groups, "processes"))
		counted("processes", "300", "300 processes", 0.6, 0.9, "s");
	if (wanted(groups, "mappings"))
		counted("mappings", "10000", "10,000 mappings", 0.2, 0.2, "s");
	if (wanted(groups, "descriptors"))
		group_descriptors();
	if (wanted(groups, "disk"))
		group_disk();
	row("peak memory of dunlin", (double)bench.peak_kib / 1024, 64, "", 1, "MiB");
	if (bench.json)
		printf("\n]\n");
}

/* ================= start and end ================= */

static void remove_folders(void)
{
	static const char *const names[] = { "image", "limit", "stats" };
	char path[1024];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", bench.tmpfs, names[i]);
		unlink(path);
		snprintf(path, sizeof(path), "%s/%s", bench.disk, names[i]);
		unlink(path);
	}
	rmdir(bench.tmpfs);
	rmdir(bench.disk);
}

static void make_folder(char *path, size_t size, const char *parent)
{
	snprintf(path, size, "%s/dunlin-bench.XXXXXX", parent);
	if (!mkdtemp(path))
		bench_die("cannot make a folder in %s: %s", parent, strerror(errno));
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "quick", no_argument, NULL, 'q' },	    { "json", no_argument, NULL, 'j' },
		{ "tmpfs", required_argument, NULL, 't' },  { "disk", required_argument, NULL, 'd' },
		{ "dunlin", required_argument, NULL, 'x' }, {},
	};
	const char *tmpfs = "/dev/shm", *disk = "/var/tmp";
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'q': bench.runs = 3, bench.mib = 256; break;
		case 'j': bench.json = true; break;
		case 't': tmpfs = optarg; break;
		case 'd': disk = optarg; break;
		case 'x': bench.dunlin = optarg; break;
		default:
			fprintf(stderr,
				"usage: bench [--quick] [--json] [--tmpfs FOLDER] [--disk FOLDER] [GROUP...]\n");
			return 2;
		}
	}
	make_folder(bench.tmpfs, sizeof(bench.tmpfs), tmpfs);
	make_folder(bench.disk, sizeof(bench.disk), disk);
	atexit(remove_folders);
	bench_limits_start(bench.mib << 20, bench.tmpfs, bench.disk);
	run_groups(argv + optind);
	bench_limits_stop();
	return 0;
}
