/* SPDX-License-Identifier: BSD-3-Clause */
/* test_image_damage.c - whatever happens to the bytes of an image, it is refused with a reason */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/util.h"
#include "image/format.h"
#include "image_sample.h"

#define RECORDS_MAX 64u

/* An intact image in memory, and a file that tests damage and repair. */
static struct {
	unsigned char *bytes;
	size_t size;
	int fd;
	char path[32];
	uint64_t records[RECORDS_MAX]; /* offsets */
	size_t record_count;
} image;

static struct dn_record_header *header_at(uint64_t offset)
{
	return (struct dn_record_header *)(image.bytes + offset);
}

static int make_image(void **state)
{
	struct sample s;
	struct dn_error err = {};
	struct stat st;
	char name[] = "/tmp/dunlin-test-XXXXXX";

	int fd = mkstemp(name);
	sample_init(&s);
	if (fd < 0 || sample_write(&s, name, &err) < 0)
		return -1;
	close(fd);
	fd = open(name, O_RDONLY);
	unlink(name);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -1;
	image.size = (size_t)st.st_size;
	image.bytes = mmap(NULL, image.size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	close(fd);
	image.fd = memfd_create("image", MFD_CLOEXEC);
	snprintf(image.path, sizeof(image.path), "/proc/self/fd/%d", image.fd);
	if (image.bytes == MAP_FAILED || image.fd < 0 || dn_pwrite_full(image.fd, image.bytes, image.size, 0) < 0)
		return -1;
	for (uint64_t at = DN_BLOCK; at < image.size; at += dn_record_size(header_at(at)->length))
		image.records[image.record_count++] = at;
	return 0;
}

static int finish_image(void **state)
{
	munmap(image.bytes, image.size);
	close(image.fd);
	return 0;
}

static void repair(void)
{
	assert_return_code(ftruncate(image.fd, (off_t)image.size), errno);
	assert_int_equal(dn_pwrite_full(image.fd, image.bytes, image.size, 0), 0);
}

/* The error must say where, unless another word is expected. */
static void expect_refused(const char *word)
{
	struct dn_error err = {};

	int r = dn_verify(image.path, NULL, &err);
	if (r >= 0)
		fail_msg("a damaged image was accepted");
	assert_true(r == -EBADMSG || r == -EPROTONOSUPPORT);
	assert_int_equal(err.outcome, DN_OUTCOME_FAILED);
	if (!strstr(err.text, word))
		fail_msg("'%s' does not say '%s'", err.text, word);
}

static void expect_accepted(void)
{
	struct dn_error err = {};

	if (dn_verify(image.path, NULL, &err) < 0)
		fail_msg("%s", err.text);
}

static void test_intact(void **state)
{
	expect_accepted();
	assert_true(image.record_count > 10);
	assert_int_equal(header_at(image.records[image.record_count - 1])->type, DN_RECORD_COMMIT);
}

static void cut_to(size_t size)
{
	assert_return_code(ftruncate(image.fd, (off_t)size), errno);
	expect_refused(size < 16 ? "not a dunlin image" : "offset");
}

static void test_truncated(void **state)
{
	for (size_t size = image.size - 1; size > image.size - 3 * DN_BLOCK; size -= 509)
		cut_to(size);
	for (size_t size = (image.size - 1) / DN_BLOCK * DN_BLOCK; size > 0; size -= DN_BLOCK)
		cut_to(size);
	repair();
	for (size_t size = 20000; size > 0; size = size * 9 / 10)
		cut_to(size);
	cut_to(0);
	repair();
	expect_accepted();
}

static void test_grown(void **state)
{
	assert_return_code(ftruncate(image.fd, (off_t)image.size + 1), errno);
	expect_refused("offset");
	assert_return_code(ftruncate(image.fd, (off_t)image.size + DN_BLOCK), errno);
	expect_refused("offset");
	repair();
}

static void flip(size_t offset, int bit)
{
	unsigned char byte = image.bytes[offset] ^ (unsigned char)(1 << bit);

	assert_int_equal(pwrite(image.fd, &byte, 1, (off_t)offset), 1);
	expect_refused(offset < 16 ? "not a dunlin image" : "offset");
	assert_int_equal(pwrite(image.fd, image.bytes + offset, 1, (off_t)offset), 1);
}

static void test_bits_of_headers(void **state)
{
	for (size_t i = 0; i < DN_BLOCK; i += i < 64 ? 1 : 61)
		flip(i, (int)(i % 8));
	for (size_t r = 0; r < image.record_count; r++)
		for (size_t i = 0; i < sizeof(struct dn_record_header); i++)
			flip(image.records[r] + i, (int)((i + r) % 8));
	expect_accepted();
}

static void test_bits_of_payloads(void **state)
{
	for (size_t i = DN_BLOCK; i < image.size; i += 5003)
		flip(i, (int)(i % 8));
	/* Small records and the padding behind them. */
	for (size_t r = 0; r < image.record_count; r++)
		if (header_at(image.records[r])->type != DN_RECORD_PAGES)
			for (size_t i = 0; i < 4; i++)
				flip(image.records[r] + sizeof(struct dn_record_header) + i * 900, (int)(i % 8));
	expect_accepted();
}

/* ---- damage with the right checksums ---- */

static void test_versions(void **state)
{
	struct dn_file_header h;

	memcpy(&h, image.bytes, sizeof(h));
	h.version = DN_FORMAT_VERSION + 7;
	h.checksum = dn_checksum(&h, offsetof(struct dn_file_header, checksum));
	assert_int_equal(dn_pwrite_full(image.fd, &h, sizeof(h), 0), 0);
	expect_accepted(); /* newer, but written so that this one can read it */
	h.compatible = DN_FORMAT_VERSION + 1;
	h.checksum = dn_checksum(&h, offsetof(struct dn_file_header, checksum));
	assert_int_equal(dn_pwrite_full(image.fd, &h, sizeof(h), 0), 0);
	expect_refused("too new");
	repair();
}

/* Changes a record's header or payload and makes its checksums right again. */
static void rewrite(size_t record, void (*change)(struct dn_record_header *h))
{
	uint64_t at = image.records[record], size = dn_record_size(header_at(at)->length);
	struct dn_record_header *h = malloc(size);

	assert_non_null(h);
	memcpy(h, header_at(at), size);
	change(h);
	dn_record_seal(h, size);
	assert_int_equal(dn_pwrite_full(image.fd, h, size, (off_t)at), 0);
	free(h);
}

static size_t find_record(uint32_t type)
{
	for (size_t i = 0; i < image.record_count; i++)
		if (header_at(image.records[i])->type == type)
			return i;
	fail_msg("no record of type %u", type);
	return 0;
}

static void set_image_id(struct dn_record_header *h)
{
	h->image_id++;
}

static void set_offset(struct dn_record_header *h)
{
	h->offset += DN_BLOCK;
}

static void set_flags(struct dn_record_header *h)
{
	h->flags = 0x80;
}

static void set_length(struct dn_record_header *h)
{
	h->length = UINT64_MAX;
}

static void set_type(struct dn_record_header *h)
{
	h->type = DN_RECORD_OBJECTS;
}

static void set_runs(struct dn_record_header *h)
{
	h->runs = 0xffffffff;
}

static void set_owner(struct dn_record_header *h)
{
	h->owner++;
}

static void test_resealed_headers(void **state)
{
	void (*const changes[])(struct dn_record_header *) = { set_image_id, set_offset, set_flags, set_length,
							       set_type,     set_runs,	 set_owner };
	const uint32_t types[] = { DN_RECORD_INFO, DN_RECORD_PROCESS, DN_RECORD_PAGES, DN_RECORD_INDEX,
				   DN_RECORD_COMMIT };

	for (size_t t = 0; t < DN_ARRAY_LEN(types); t++)
		for (size_t c = 0; c < DN_ARRAY_LEN(changes); c++) {
			rewrite(find_record(types[t]), changes[c]);
			expect_refused("offset");
			repair();
		}
	expect_accepted();
}

static void wrap_run(struct dn_record_header *h)
{
	((struct dn_run *)(h + 1))->addr = UINT64_MAX - 4095;
}

static void odd_run(struct dn_record_header *h)
{
	((struct dn_run *)(h + 1))->addr += 8;
}

static void long_run(struct dn_record_header *h)
{
	((struct dn_run *)(h + 1))->pages = UINT64_MAX / 4096;
}

static void outside_run(struct dn_record_header *h)
{
	((struct dn_run *)(h + 1))->addr = 0x500000000000;
}

static void same_runs(struct dn_record_header *h)
{
	struct dn_run *runs = (struct dn_run *)(h + 1);

	runs[1] = runs[0];
}

static void swap_index(struct dn_record_header *h)
{
	struct dn_index_entry *e = (struct dn_index_entry *)(h + 1), first = e[1];

	e[1] = e[2];
	e[2] = first;
}

static void gap_in_index(struct dn_record_header *h)
{
	((struct dn_index_entry *)(h + 1))[1].offset += DN_BLOCK;
}

static void pages_in_index(struct dn_record_header *h)
{
	struct dn_index_entry *e = (struct dn_index_entry *)(h + 1);

	for (size_t i = 0; i < h->length / sizeof(*e); i++)
		e[i].pages = 0xffff;
}

static void records_in_commit(struct dn_record_header *h)
{
	((struct dn_commit *)(h + 1))->records = UINT64_MAX / 16;
}

static void pages_in_commit(struct dn_record_header *h)
{
	((struct dn_commit *)(h + 1))->pages++;
}

static void index_in_commit(struct dn_record_header *h)
{
	((struct dn_commit *)(h + 1))->index_offset = UINT64_MAX - 4095;
}

static void garbage(struct dn_record_header *h)
{
	memset(h + 1, 0xff, h->length);
}

static void test_resealed_payloads(void **state)
{
	const struct {
		uint32_t type;
		void (*change)(struct dn_record_header *);
	} cases[] = {
		{ DN_RECORD_PAGES, wrap_run },	       { DN_RECORD_PAGES, odd_run },
		{ DN_RECORD_PAGES, long_run },	       { DN_RECORD_PAGES, outside_run },
		{ DN_RECORD_PAGES, same_runs },	       { DN_RECORD_COMMIT, records_in_commit },
		{ DN_RECORD_COMMIT, pages_in_commit }, { DN_RECORD_COMMIT, index_in_commit },
		{ DN_RECORD_INDEX, swap_index },       { DN_RECORD_INDEX, gap_in_index },
		{ DN_RECORD_INDEX, pages_in_index },   { DN_RECORD_PROCESS, garbage },
		{ DN_RECORD_INFO, garbage },	       { DN_RECORD_THREADS, garbage },
	};

	for (size_t i = 0; i < DN_ARRAY_LEN(cases); i++) {
		rewrite(find_record(cases[i].type), cases[i].change);
		if (cases[i].type == DN_RECORD_INDEX) /* the commit record knows the index */
			expect_refused("the index is not the one");
		else
			expect_refused("offset");
		repair();
	}
	expect_accepted();
}

/* An index that is wrong in itself, and a commit record that fits it. */
static void test_resealed_index(void **state)
{
	void (*const changes[])(struct dn_record_header *) = { swap_index, gap_in_index, pages_in_index };

	for (size_t i = 0; i < DN_ARRAY_LEN(changes); i++) {
		struct {
			struct dn_record_header h;
			struct dn_commit commit;
			unsigned char rest[DN_BLOCK - sizeof(struct dn_record_header) - sizeof(struct dn_commit)];
		} c;
		struct dn_record_header index;
		uint64_t at = image.records[find_record(DN_RECORD_COMMIT)];
		rewrite(find_record(DN_RECORD_INDEX), changes[i]);
		memcpy(&c, header_at(at), sizeof(c));
		assert_int_equal(dn_pread_full(image.fd, &index, sizeof(index), (off_t)c.commit.index_offset),
				 sizeof(index));
		c.commit.index_checksum = index.payload_checksum;
		dn_record_seal(&c.h, sizeof(c));
		assert_int_equal(dn_pwrite_full(image.fd, &c, sizeof(c), (off_t)at), 0);
		expect_refused("offset");
		repair();
	}
}

/* ---- what never was an image ---- */

static void test_foreign(void **state)
{
	static const char text[] = "#!/bin/sh\necho this is not an image\n";
	struct dn_error err = {};
	struct dn_image *none = NULL;

	assert_return_code(ftruncate(image.fd, 0), errno);
	assert_int_equal(dn_pwrite_full(image.fd, text, sizeof(text), 0), 0);
	expect_refused("not a dunlin image");
	for (off_t at = 0; at < 100000; at += sizeof(text))
		assert_int_equal(dn_pwrite_full(image.fd, text, sizeof(text), at), 0);
	expect_refused("not a dunlin image");
	repair();
	assert_int_equal(dn_image_open("/tmp", &none, &err), -EISDIR);
	assert_int_equal(dn_image_open("/nonexistent/image", &none, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nonexistent/image"));
	assert_int_equal(dn_image_open("/dev/zero", &none, &err), -EBADMSG);
	assert_int_equal(dn_image_open("/dev/null", &none, &err), -EBADMSG);
	assert_null(none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_intact),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_grown),
		cmocka_unit_test(test_bits_of_headers),
		cmocka_unit_test(test_bits_of_payloads),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_resealed_headers),
		cmocka_unit_test(test_resealed_payloads),
		cmocka_unit_test(test_resealed_index),
		cmocka_unit_test(test_foreign),
	};

	return cmocka_run_group_tests(tests, make_image, finish_image);
}
