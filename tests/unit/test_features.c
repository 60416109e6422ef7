/* SPDX-License-Identifier: BSD-3-Clause */
/* test_features.c - instruction sets: those that are here are not missing, others are, by name */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tracee/control.h"

static void own_features_are_here(void **state)
{
	(void)state;
	uint32_t own[DN_ARCH_FEATURE_WORDS];
	char names[512] = "x";

	dn_arch_features(own);
	assert_true(own[0] & 1); /* SSE3: on every processor that runs this */
	assert_false(dn_arch_missing(own, DN_ARCH_FEATURE_WORDS, names, sizeof(names)));
	assert_string_equal(names, "");
}

static void foreign_features_are_named(void **state)
{
	(void)state;
	uint32_t wanted[DN_ARCH_FEATURE_WORDS];
	char names[512], few[8];

	/* No processor has AMD's XOP together with AVX-512ER. */
	dn_arch_features(wanted);
	wanted[1] |= 1U << 27;
	wanted[4] |= 1U << 11;
	assert_true(dn_arch_missing(wanted, DN_ARCH_FEATURE_WORDS, names, sizeof(names)));
	assert_true(strstr(names, "avx512er") || strstr(names, "xop"));
	assert_true(dn_arch_missing(wanted, DN_ARCH_FEATURE_WORDS, few, sizeof(few)));
	/* An image that says nothing wants nothing. */
	assert_false(dn_arch_missing(wanted, 0, names, sizeof(names)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_features_are_here),
		cmocka_unit_test(foreign_features_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
