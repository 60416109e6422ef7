/* SPDX-License-Identifier: BSD-3-Clause */
/* test_scan.c - finding pages: by PAGEMAP_SCAN and, as on an older kernel, by pagemap words */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/kernel.h"
#include "base/util.h"
#include "memory/scan.h"

#define PAGES 4096u

struct space {
	char *at;
	struct dn_process process;
	struct dn_map maps[3];
	struct dn_space s;
};

/* Three mappings without a gap: private, shared, private. */
static int setup(void **state)
{
	struct space *p = calloc(1, sizeof(*p));
	size_t part = PAGES * DN_PAGE_SIZE;

	p->at = mmap(NULL, 3 * part, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_ptr_not_equal(p->at, MAP_FAILED);
	assert_ptr_equal(
		mmap(p->at + part, part, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
		p->at + part);
	p->process.pid = getpid();
	for (size_t i = 0; i < 3; i++)
		p->maps[i] = (struct dn_map){
			.start = (uint64_t)(p->at + i * part),
			.end = (uint64_t)(p->at + (i + 1) * part),
			.kind = i == 1 ? DN__VMA__KIND__FILE_SHARED : DN__VMA__KIND__ANON,
			.prot = PROT_READ | PROT_WRITE,
			.resident = true,
		};
	p->s = (struct dn_space){ .process = &p->process, .maps = p->maps, .count = 3 };
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct space *p = *state;

	munmap(p->at, 3 * PAGES * DN_PAGE_SIZE);
	dn_runs_finish(&p->s.guards);
	free(p);
	return 0;
}

static bool wanted(size_t page)
{
	return page % 7 == 3 || page % 100 < 10;
}

static void touch(struct space *p)
{
	for (size_t i = 0; i < 3 * PAGES; i++) {
		if (wanted(i))
			p->at[i * DN_PAGE_SIZE] = 1;
		else if (i % 5 == 0 && i < PAGES)
			(void)*(volatile char *)(p->at + i * DN_PAGE_SIZE); /* the page of zeroes */
	}
}

static void check_private(struct space *p, bool plain)
{
	struct dn_error err = {};
	struct dn_scan *scan = malloc(sizeof(*scan));
	struct dn_run run;
	uint64_t zero;
	size_t page = 0;
	int r;

	/* What was only read need not be found, where the kernel has a page of zeroes for it. */
	dn_scan_frames(&zero);
	bool may_show = plain || !zero;

	assert_int_equal(dn_scan_init(scan, &p->s, plain, &err), 0);
	while ((r = dn_scan_next(scan, &run, &err)) == 1) {
		size_t first = (run.addr - (uint64_t)p->at) / DN_PAGE_SIZE;
		assert_true(run.addr >= p->maps[scan->map].start);
		assert_true(run.addr + run.pages * DN_PAGE_SIZE <= p->maps[scan->map].end);
		assert_int_equal(p->maps[scan->map].kind, DN__VMA__KIND__ANON);
		for (; page < first; page++) /* not found */
			assert_true(!wanted(page) || page / PAGES == 1);
		for (; page < first + run.pages; page++)
			assert_true(wanted(page) || (may_show && page < PAGES && page % 5 == 0));
	}
	assert_int_equal(r, 0);
	assert_int_equal(dn_scan_next(scan, &run, &err), 0);
	for (; page < 3 * PAGES; page++)
		assert_false(wanted(page));
	dn_scan_finish(scan);
	free(scan);
}

static void private_pages(void **state)
{
	touch(*state);
	check_private(*state, false);
	check_private(*state, true);
}

static void skipping(void **state)
{
	struct space *p = *state;
	struct dn_error err = {};
	struct dn_scan *scan = malloc(sizeof(*scan));
	struct dn_run run;

	touch(p);
	for (int plain = 0; plain < 2; plain++) {
		assert_int_equal(dn_scan_init(scan, &p->s, plain, &err), 0);
		for (size_t page = 0; page < 3 * PAGES; page += 777) {
			dn_scan_skip(scan, (uint64_t)p->at + page * DN_PAGE_SIZE);
			assert_int_equal(dn_scan_next(scan, &run, &err), 1);
			assert_true(run.addr >= (uint64_t)p->at + page * DN_PAGE_SIZE);
		}
		dn_scan_skip(scan, p->maps[2].end);
		assert_int_equal(dn_scan_next(scan, &run, &err), 0);
		dn_scan_finish(scan);
	}
	free(scan);
}

static void guard_regions(void **state)
{
	struct space *p = *state;
	struct dn_error err = {};
	struct dn_run run;
	char *guards = p->at + 20 * DN_PAGE_SIZE, *last = p->at + 2 * PAGES * DN_PAGE_SIZE;

	touch(p);
	if (madvise(guards, 3 * DN_PAGE_SIZE, MADV_GUARD_INSTALL) < 0)
		skip(); /* before 6.13 */
	assert_int_equal(madvise(last, DN_PAGE_SIZE, MADV_GUARD_INSTALL), 0);
	assert_int_equal(dn_scan_guards(&p->s, &err), 0);
	if (!p->s.guards.count)
		skip(); /* before 6.15 they do not show */
	assert_int_equal(p->s.guards.count, 2);
	dn_runs_get(&p->s.guards, 0, &run);
	assert_int_equal(run.addr, guards);
	assert_int_equal(run.pages, 3);
	dn_runs_get(&p->s.guards, 1, &run);
	assert_int_equal(run.addr, last);
	assert_int_equal(run.pages, 1);
	/* They have no content. */
	for (int plain = 0; plain < 2; plain++) {
		struct dn_scan *scan = malloc(sizeof(*scan));
		assert_int_equal(dn_scan_init(scan, &p->s, plain, &err), 0);
		while (dn_scan_next(scan, &run, &err) == 1)
			assert_true(run.addr + run.pages * DN_PAGE_SIZE <= (uint64_t)guards ||
				    run.addr >= (uint64_t)guards + 3 * DN_PAGE_SIZE);
		dn_scan_finish(scan);
		free(scan);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(private_pages, setup, teardown),
		cmocka_unit_test_setup_teardown(skipping, setup, teardown),
		cmocka_unit_test_setup_teardown(guard_regions, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
