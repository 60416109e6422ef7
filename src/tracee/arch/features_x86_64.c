/* SPDX-License-Identifier: BSD-3-Clause */
/* features_x86_64.c - instruction sets that a program may have found and now relies on
 *
 * Libraries choose their routines once, at start: a program that is restarted must find every instruction
 * set that it could have chosen.  What only the kernel uses does not count.
 */
#include <cpuid.h>
#include <stdio.h>

#include "base/util.h"
#include "tracee/control.h"

enum word { LEAF1_C, LEAF7_B, LEAF7_C, LEAF7_D, EXTENDED_C };

static const struct {
	enum word word;
	unsigned int bit;
	const char *name; /* as in /proc/cpuinfo */
} sets[] = {
	{ LEAF1_C, 0, "pni" },
	{ LEAF1_C, 1, "pclmulqdq" },
	{ LEAF1_C, 9, "ssse3" },
	{ LEAF1_C, 12, "fma" },
	{ LEAF1_C, 13, "cx16" },
	{ LEAF1_C, 19, "sse4_1" },
	{ LEAF1_C, 20, "sse4_2" },
	{ LEAF1_C, 22, "movbe" },
	{ LEAF1_C, 23, "popcnt" },
	{ LEAF1_C, 25, "aes" },
	{ LEAF1_C, 27, "xsave" },
	{ LEAF1_C, 28, "avx" },
	{ LEAF1_C, 29, "f16c" },
	{ LEAF1_C, 30, "rdrand" },
	{ LEAF7_B, 0, "fsgsbase" },
	{ LEAF7_B, 3, "bmi1" },
	{ LEAF7_B, 5, "avx2" },
	{ LEAF7_B, 8, "bmi2" },
	{ LEAF7_B, 11, "rtm" },
	{ LEAF7_B, 16, "avx512f" },
	{ LEAF7_B, 17, "avx512dq" },
	{ LEAF7_B, 18, "rdseed" },
	{ LEAF7_B, 19, "adx" },
	{ LEAF7_B, 21, "avx512ifma" },
	{ LEAF7_B, 23, "clflushopt" },
	{ LEAF7_B, 24, "clwb" },
	{ LEAF7_B, 26, "avx512pf" },
	{ LEAF7_B, 27, "avx512er" },
	{ LEAF7_B, 28, "avx512cd" },
	{ LEAF7_B, 29, "sha_ni" },
	{ LEAF7_B, 30, "avx512bw" },
	{ LEAF7_B, 31, "avx512vl" },
	{ LEAF7_C, 1, "avx512vbmi" },
	{ LEAF7_C, 4, "ospke" },
	{ LEAF7_C, 5, "waitpkg" },
	{ LEAF7_C, 6, "avx512_vbmi2" },
	{ LEAF7_C, 8, "gfni" },
	{ LEAF7_C, 9, "vaes" },
	{ LEAF7_C, 10, "vpclmulqdq" },
	{ LEAF7_C, 11, "avx512_vnni" },
	{ LEAF7_C, 12, "avx512_bitalg" },
	{ LEAF7_C, 14, "avx512_vpopcntdq" },
	{ LEAF7_C, 22, "rdpid" },
	{ LEAF7_C, 27, "movdiri" },
	{ LEAF7_C, 28, "movdir64b" },
	{ LEAF7_D, 8, "avx512_vp2intersect" },
	{ LEAF7_D, 14, "serialize" },
	{ LEAF7_D, 22, "amx_bf16" },
	{ LEAF7_D, 23, "avx512_fp16" },
	{ LEAF7_D, 24, "amx_tile" },
	{ LEAF7_D, 25, "amx_int8" },
	{ EXTENDED_C, 0, "lahf_lm" },
	{ EXTENDED_C, 5, "abm" },
	{ EXTENDED_C, 6, "sse4a" },
	{ EXTENDED_C, 11, "xop" },
	{ EXTENDED_C, 16, "fma4" },
	{ EXTENDED_C, 21, "tbm" },
};

void dn_arch_features(uint32_t ret[DN_ARCH_FEATURE_WORDS])
{
	uint32_t a, b, c, d, found[DN_ARCH_FEATURE_WORDS] = { 0 };

	if (__get_cpuid(1, &a, &b, &c, &d))
		found[LEAF1_C] = c;
	if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
		found[LEAF7_B] = b;
		found[LEAF7_C] = c;
		found[LEAF7_D] = d;
	}
	if (__get_cpuid(0x80000001, &a, &b, &c, &d))
		found[EXTENDED_C] = c;
	memset(ret, 0, sizeof(found));
	for (size_t i = 0; i < DN_ARRAY_LEN(sets); i++)
		ret[sets[i].word] |= found[sets[i].word] & 1U << sets[i].bit;
}

bool dn_arch_missing(const uint32_t *wanted, size_t count, char *names, size_t size)
{
	uint32_t here[DN_ARCH_FEATURE_WORDS];
	size_t used = 0;
	bool missing = false;

	dn_arch_features(here);
	names[0] = '\0';
	for (size_t i = 0; i < DN_ARRAY_LEN(sets); i++) {
		if (sets[i].word >= count || !(wanted[sets[i].word] & ~here[sets[i].word] & 1U << sets[i].bit))
			continue;
		missing = true;
		if (used < size)
			used += (size_t)snprintf(names + used, size - used, "%s%s", used ? " " : "", sets[i].name);
	}
	return missing;
}
