/* SPDX-License-Identifier: BSD-3-Clause */
/* test_probe.c - the probes answer, leave nothing behind, and survive what they are there to find out */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/util.h"
#include "dunlin.h"

#define MAX_RESULTS 128

struct results {
	struct dn_doctor_result r[MAX_RESULTS];
	size_t count;
};

static void collect(const struct dn_doctor_result *result, void *arg)
{
	struct results *all = arg;

	assert_true(all->count < MAX_RESULTS);
	all->r[all->count++] = *result;
	print_message("%s: %s %s\n", result->name,
		      result->state == DN_DOCTOR_OK	   ? "ok"
		      : result->state == DN_DOCTOR_MISSING ? "missing"
							   : "degraded",
		      result->detail);
}

static size_t open_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* Every probe gives a result that can be read, and the number of missing ones is what was told. */
static void results_are_complete(void **state)
{
	struct results all = {};
	int counted = 0;

	int missing = dn_doctor(collect, &all);
	assert_true(all.count > 30);
	for (size_t i = 0; i < all.count; i++) {
		assert_true(strlen(all.r[i].name) > 0 && strlen(all.r[i].name) <= 21); /* the table's column */
		assert_true(strlen(all.r[i].purpose) > 0);
		assert_true(strlen(all.r[i].advice) > 0);
		if (all.r[i].state != DN_DOCTOR_OK)
			assert_true(strlen(all.r[i].detail) > 0);
		counted += all.r[i].state == DN_DOCTOR_MISSING;
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(all.r[i].name, all.r[k].name);
	}
	assert_int_equal(missing, counted);
	assert_int_equal(dn_doctor(NULL, NULL), missing);
}

static void nothing_is_left_behind(void **state)
{
	size_t before = open_descriptors();

	dn_doctor(NULL, NULL);
	assert_int_equal(open_descriptors(), before);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

/* Where descriptors cannot be made, probes fail, and say why. */
static void failures_are_results(void **state)
{
	struct rlimit old, low;
	struct results all = {};

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = (struct rlimit){ .rlim_cur = 3, .rlim_max = old.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	int missing = dn_doctor(collect, &all);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_true(missing > 0);
	for (size_t i = 0; i < all.count; i++)
		if (all.r[i].state != DN_DOCTOR_OK)
			assert_non_null(strstr(all.r[i].detail, "Too many open files"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(results_are_complete),
		cmocka_unit_test(nothing_is_left_behind),
		cmocka_unit_test(failures_are_results),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
