/* SPDX-License-Identifier: BSD-3-Clause */
/* test_runs.c - lists of address ranges */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/util.h"
#include "memory/runs.h"

#define PAGE DN_PAGE_SIZE

static void check(const struct dn_runs *r, size_t i, uint64_t addr, uint64_t pages, unsigned int class)
{
	struct dn_run run;

	assert_true(i < r->count);
	assert_int_equal(dn_runs_get(r, i, &run), class);
	assert_int_equal(run.addr, addr);
	assert_int_equal(run.pages, pages);
}

static void neighbours_join(void **state)
{
	struct dn_runs r = {};

	assert_int_equal(dn_runs_add(&r, 10 * PAGE, 2, DN_RUN_PLAIN), 0);
	assert_int_equal(dn_runs_add(&r, 12 * PAGE, 3, DN_RUN_PLAIN), 0);
	assert_int_equal(dn_runs_add(&r, 15 * PAGE, 1, DN_RUN_EXACT), 0);
	assert_int_equal(dn_runs_add(&r, 17 * PAGE, 1, DN_RUN_EXACT), 0);
	assert_int_equal(r.count, 3);
	check(&r, 0, 10 * PAGE, 5, DN_RUN_PLAIN);
	check(&r, 1, 15 * PAGE, 1, DN_RUN_EXACT);
	check(&r, 2, 17 * PAGE, 1, DN_RUN_EXACT);
	dn_runs_finish(&r);
	assert_int_equal(r.count, 0);
}

/* Longer than fits one item, added at once and page by page. */
static void long_runs(void **state)
{
	const uint64_t pages = 3 * 65536 + 5, at = 0xfffffffffff000 - pages * PAGE; /* with 57 bits of address */
	struct dn_runs once = {}, slowly = {};
	struct dn_run run;
	uint64_t next = at;

	assert_int_equal(dn_runs_add(&once, at, pages, DN_RUN_COMMON), 0);
	for (uint64_t i = 0; i < pages; i++)
		assert_int_equal(dn_runs_add(&slowly, at + i * PAGE, 1, DN_RUN_COMMON), 0);
	assert_int_equal(once.count, slowly.count);
	assert_true(once.count <= 4);
	for (size_t i = 0; i < once.count; i++) {
		assert_int_equal(once.packed[i], slowly.packed[i]);
		assert_int_equal(dn_runs_get(&once, i, &run), DN_RUN_COMMON);
		assert_int_equal(run.addr, next);
		next += run.pages * PAGE;
	}
	assert_int_equal(next, at + pages * PAGE);
	dn_runs_finish(&once);
	dn_runs_finish(&slowly);
}

static void finding(void **state)
{
	struct dn_runs r = {};

	assert_int_equal(dn_runs_find(&r, 0), 0);
	for (uint64_t i = 0; i < 100; i++)
		assert_int_equal(dn_runs_add(&r, (10 * i + 5) * PAGE, 2, DN_RUN_FORKED), 0);
	assert_int_equal(dn_runs_find(&r, 0), 0);
	for (uint64_t i = 0; i < 100; i++) {
		assert_int_equal(dn_runs_find(&r, (10 * i + 4) * PAGE), i);
		assert_int_equal(dn_runs_find(&r, (10 * i + 5) * PAGE), i);
		assert_int_equal(dn_runs_find(&r, (10 * i + 7) * PAGE - 1), i);
		assert_int_equal(dn_runs_find(&r, (10 * i + 7) * PAGE), i + 1);
	}
	dn_runs_finish(&r);
}

static void clipping(void **state)
{
	struct dn_run r = { 10 * PAGE, 10 };

	assert_true(dn_run_clip(&r, 0, UINT64_MAX));
	assert_int_equal(r.pages, 10);
	assert_true(dn_run_clip(&r, 12 * PAGE, UINT64_MAX));
	assert_int_equal(r.addr, 12 * PAGE);
	assert_int_equal(r.pages, 8);
	assert_true(dn_run_clip(&r, 0, 15 * PAGE));
	assert_int_equal(r.addr, 12 * PAGE);
	assert_int_equal(r.pages, 3);
	assert_false(dn_run_clip(&r, 15 * PAGE, 20 * PAGE));
	assert_false(dn_run_clip(&r, 0, 12 * PAGE));
	assert_int_equal(r.addr, 12 * PAGE); /* left as it was */
	assert_int_equal(r.pages, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(neighbours_join),
		cmocka_unit_test(long_runs),
		cmocka_unit_test(finding),
		cmocka_unit_test(clipping),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
