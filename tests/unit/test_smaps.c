/* SPDX-License-Identifier: BSD-3-Clause */
/* test_smaps.c - the reader of /proc/PID/smaps on recorded texts, whole and in pieces */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

#include "base/util.h"
#include "memory/smaps.h"

#define MAX 32

struct seen {
	struct dn_smaps_entry e[MAX];
	size_t count;
	int answer;
};

static int each(const struct dn_smaps_entry *entry, void *arg, struct dn_error *err)
{
	struct seen *s = arg;

	assert_true(s->count < MAX);
	s->e[s->count++] = *entry;
	return s->answer;
}

/* Feeds text in pieces of that size. */
static int parse(const char *text, size_t piece, struct seen *seen, struct dn_error *err)
{
	struct dn_smaps s;
	size_t len = strlen(text);

	memset(seen, 0, sizeof(*seen));
	int r = dn_smaps_init(&s, each, seen, err);
	assert_int_equal(r, 0);
	for (size_t at = 0; at < len && r >= 0; at += piece) {
		size_t n = DN_MIN(DN_MIN(piece, len - at), DN_SMAPS_BUFFER - s.used);
		memcpy(s.buffer + s.used, text + at, n);
		r = dn_smaps_fed(&s, n, err);
	}
	if (r >= 0)
		r = dn_smaps_end(&s, err);
	dn_smaps_finish(&s);
	return r;
}

#define REST                                                                                                           \
	"Size:                 64 kB\nKernelPageSize:        4 kB\nMMUPageSize:           4 kB\nRss:                 " \
	" 20 kB\n"                                                                                                     \
	"Pss:                  20 kB\nPss_Dirty:             8 kB\nShared_Clean:          0 kB\nShared_Dirty:        " \
	"  0 kB\n"                                                                                                     \
	"Private_Clean:        12 kB\nPrivate_Dirty:         8 kB\nReferenced:           20 kB\nAnonymous:           " \
	"  8 kB\n"                                                                                                     \
	"KSM:                   0 kB\nLazyFree:              0 kB\nAnonHugePages:         0 kB\nShmemPmdMapped:      " \
	"  0 kB\n"                                                                                                     \
	"FilePmdMapped:         0 kB\nShared_Hugetlb:        0 kB\nPrivate_Hugetlb:       0 kB\nSwap:                " \
	" 16 kB\n"                                                                                                     \
	"SwapPss:              16 kB\nLocked:                0 kB\nTHPeligible:           0\n"

static const char recorded[] =
	"55f467f84000-55f467f86000 r--p 00000000 fe:00 248056                     /usr/bin/sleep\n" REST
	"VmFlags: rd mr mw me \n"
	"55f467f86000-55f467f8b000 r-xp 00002000 fe:00 248056                     /usr/bin/sleep (deleted)\n" REST
	"VmFlags: rd ex mr mw me sd \n"
	"55f4823fa000-55f48241b000 rw-p 00000000 00:00 0                          [heap]\n" REST
	"ProtectionKey:         3\nVmFlags: rd wr mr mw me ac sd \n"
	"7f0000000000-7f0000400000 rw-p 00000000 00:10 77                         /anon_hugepage (deleted)\n"
	"Size:               4096 kB\nKernelPageSize:     2048 kB\nMMUPageSize:        2048 kB\nRss:                   "
	"0 kB\n"
	"Anonymous:             0 kB\nShared_Hugetlb:     2048 kB\nPrivate_Hugetlb:    2048 kB\nSwap:                  "
	"0 kB\n"
	"VmFlags: rd wr mr mw me de ht \n"
	"7f1000000000-7f1000010000 rw-p 00000000 00:00 0                          [anon:a name of its own]\n" REST
	"VmFlags: rd wr mr mw me ac dc wf dd hg sl \n"
	"7f2000000000-7f2000010000 rw-s 00003000 103:0a 4294967299                /tmp/a\\012b  c (deleted)\n" REST
	"VmFlags: rd wr sh mr mw me ms lo lf sr gu \n"
	"7f3000000000-7f3000001000 ---p 00000000 00:00 0 \n" REST "VmFlags: mr mw me gd nr rr um nh mg dp zz\n"
	"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n" REST "VmFlags: ex \n";

static void check_recorded(const struct seen *s)
{
	const struct dn_smaps_entry *e = s->e;

	assert_int_equal(s->count, 8);
	assert_int_equal(e[0].start, 0x55f467f84000);
	assert_int_equal(e[0].end, 0x55f467f86000);
	assert_int_equal(e[0].prot, PROT_READ);
	assert_int_equal(e[0].dev, makedev(0xfe, 0));
	assert_int_equal(e[0].ino, 248056);
	assert_string_equal(e[0].name, "/usr/bin/sleep");
	assert_int_equal(e[0].rss, 20 << 10);
	assert_int_equal(e[0].anonymous, 8 << 10);
	assert_int_equal(e[0].swap, 16 << 10);
	assert_int_equal(e[0].page_size, 4096);
	assert_int_equal(e[0].flags, DN_SMAPS_BIT(DN_SMAPS_MW));
	assert_int_equal(e[1].offset, 0x2000);
	assert_int_equal(e[1].prot, PROT_READ | PROT_EXEC);
	assert_string_equal(e[1].name, "/usr/bin/sleep (deleted)");
	assert_string_equal(e[2].name, "[heap]");
	assert_int_equal(e[2].pkey, 3);
	assert_int_equal(e[2].flags, DN_SMAPS_BIT(DN_SMAPS_MW) | DN_SMAPS_BIT(DN_SMAPS_AC));
	assert_int_equal(e[3].page_size, 2 << 20);
	assert_int_equal(e[3].huge, 4 << 20);
	assert_int_equal(e[3].pkey, 0);
	assert_int_equal(e[3].flags, DN_SMAPS_BIT(DN_SMAPS_MW) | DN_SMAPS_BIT(DN_SMAPS_HT));
	assert_string_equal(e[4].name, "[anon:a name of its own]");
	assert_int_equal(e[4].flags, DN_SMAPS_BIT(DN_SMAPS_MW) | DN_SMAPS_BIT(DN_SMAPS_AC) | DN_SMAPS_BIT(DN_SMAPS_DC) |
					     DN_SMAPS_BIT(DN_SMAPS_WF) | DN_SMAPS_BIT(DN_SMAPS_DD) |
					     DN_SMAPS_BIT(DN_SMAPS_HG) | DN_SMAPS_BIT(DN_SMAPS_SL));
	assert_true(e[5].shared);
	assert_int_equal(e[5].dev, makedev(0x103, 0xa));
	assert_int_equal(e[5].ino, 4294967299);
	assert_int_equal(e[5].offset, 0x3000);
	assert_string_equal(e[5].name, "/tmp/a\nb  c (deleted)");
	assert_int_equal(e[5].flags, DN_SMAPS_BIT(DN_SMAPS_MW) | DN_SMAPS_BIT(DN_SMAPS_LO) | DN_SMAPS_BIT(DN_SMAPS_LF) |
					     DN_SMAPS_BIT(DN_SMAPS_SR));
	assert_int_equal(e[6].prot, PROT_NONE);
	assert_false(e[6].shared);
	assert_string_equal(e[6].name, "");
	assert_int_equal(e[6].flags, DN_SMAPS_BIT(DN_SMAPS_MW) | DN_SMAPS_BIT(DN_SMAPS_GD) | DN_SMAPS_BIT(DN_SMAPS_NR) |
					     DN_SMAPS_BIT(DN_SMAPS_RR) | DN_SMAPS_BIT(DN_SMAPS_UM) |
					     DN_SMAPS_BIT(DN_SMAPS_NH) | DN_SMAPS_BIT(DN_SMAPS_MG) |
					     DN_SMAPS_BIT(DN_SMAPS_DP));
	assert_int_equal(e[7].start, 0xffffffffff600000);
	assert_int_equal(e[7].flags, 0);
}

static void recorded_text(void **state)
{
	static struct seen s;
	struct dn_error err = {};

	for (size_t piece = 1; piece < 300; piece += 7) {
		assert_int_equal(parse(recorded, piece, &s, &err), 0);
		check_recorded(&s);
	}
	assert_int_equal(parse(recorded, sizeof(recorded), &s, &err), 0);
	check_recorded(&s);
}

static void nonsense_is_refused(void **state)
{
	static const char *const texts[] = {
		"Size:                 64 kB\n",					/* no first line */
		"1000-2000 r--p 00000000 00:00 0 \n1000-2000 r--p 00000000 00:00 0 \n", /* two of them */
		"1000-2000 r--p 00000000 00:00 0 \nSize:    4 kB\n",			/* no VmFlags */
		"1000-2000 r--p 00000000 00:00 0 \nVmFlags: rd",			/* no newline */
		"2000-1000 r--p 00000000 00:00 0 \nVmFlags: rd\n",			/* backwards */
		"1001-2000 r--p 00000000 00:00 0 \nVmFlags: rd\n",			/* not a page */
		"1000-2000 r--p\nVmFlags: rd\n",
		"1000-2000 r\nVmFlags: rd\n",
		"1000-20000000000000000 r--p 00000000 00:00 0 \nVmFlags: rd\n", /* too long */
		"1000-2000 r--p 00000000 00:00 99999999999999999999999 x\nVmFlags: rd\n",
		"\n",
		"garbage\n",
	};
	static struct seen s;

	for (size_t i = 0; i < DN_ARRAY_LEN(texts); i++) {
		struct dn_error err = {};
		assert_int_equal(parse(texts[i], 4096, &s, &err), -EINVAL);
		assert_true(err.text[0]);
		assert_int_equal(s.count, 0);
	}
}

/* A line that never ends must neither overflow nor stop the reading for good. */
static void endless_line(void **state)
{
	static struct seen s;
	static char text[3 * DN_SMAPS_BUFFER];
	struct dn_error err = {};

	memset(text, 'a', sizeof(text) - 1);
	assert_int_equal(parse(text, 4096, &s, &err), -EINVAL);
	memcpy(text, "1000-2000 r--p 00000000 00:00 0 ", 32);
	text[DN_SMAPS_BUFFER / 2] = '\n'; /* a name longer than any path */
	text[DN_SMAPS_BUFFER / 2 + 1] = '\0';
	assert_int_equal(parse(text, 4096, &s, &err), -EINVAL);
}

static void callback_ends_it(void **state)
{
	static struct seen s;
	struct dn_smaps p;
	struct dn_error err = {};

	memset(&s, 0, sizeof(s));
	s.answer = -ENOTSUP;
	assert_int_equal(dn_smaps_init(&p, each, &s, &err), 0);
	memcpy(p.buffer, recorded, sizeof(recorded) - 1);
	assert_int_equal(dn_smaps_fed(&p, sizeof(recorded) - 1, &err), -ENOTSUP);
	assert_int_equal(s.count, 1);
	dn_smaps_finish(&p);
}

static int find_mine(const struct dn_smaps_entry *e, void *arg, struct dn_error *err)
{
	struct dn_smaps_entry *mine = arg;

	if (e->start == mine->start)
		*mine = *e;
	return 0;
}

/* This kernel's own text. */
static void own_mappings(void **state)
{
	static struct dn_smaps_entry mine;
	struct dn_error err = {};
	char *p = mmap(NULL, 3 * DN_PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(p, MAP_FAILED);
	assert_int_equal(mprotect(p + DN_PAGE_SIZE, DN_PAGE_SIZE, PROT_READ | PROT_WRITE), 0);
	assert_int_equal(madvise(p + DN_PAGE_SIZE, DN_PAGE_SIZE, MADV_DONTDUMP), 0);
	p[DN_PAGE_SIZE] = 1;
	mine.start = (uint64_t)(p + DN_PAGE_SIZE);
	assert_int_equal(dn_smaps_read(getpid(), find_mine, &mine, &err), 0);
	assert_int_equal(mine.end, p + 2 * DN_PAGE_SIZE);
	assert_int_equal(mine.prot, PROT_READ | PROT_WRITE);
	assert_int_equal(mine.anonymous + mine.swap, DN_PAGE_SIZE);
	assert_int_equal(mine.flags & DN_SMAPS_BIT(DN_SMAPS_DD), DN_SMAPS_BIT(DN_SMAPS_DD));
	munmap(p, 3 * DN_PAGE_SIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recorded_text), cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(endless_line),	 cmocka_unit_test(callback_ends_it),
		cmocka_unit_test(own_mappings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
