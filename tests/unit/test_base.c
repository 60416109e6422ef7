/* SPDX-License-Identifier: BSD-3-Clause */
/* test_base.c - errors, texts of /proc, JSON, whole reads and writes */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>

#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/util.h"

static void test_error(void **state)
{
	struct dn_error err = {};

	assert_int_equal(dn_error_set(&err, -ENOENT, "cannot open %s", "/x"), -ENOENT);
	assert_string_equal(err.text, "cannot open /x: No such file or directory");
	assert_int_equal(err.outcome, DN_OUTCOME_FAILED);
	assert_int_equal(dn_error_wrap(&err, "process %d", 7), -ENOENT);
	assert_string_equal(err.text, "process 7: cannot open /x: No such file or directory");
	assert_int_equal(dn_error_refuse(&err, "descriptor %d is a %s", 3, "socket"), -ENOTSUP);
	assert_int_equal(err.outcome, DN_OUTCOME_REFUSED);
	assert_int_equal(dn_error_wrap(&err, "process %d", 7), -ENOTSUP);
	assert_int_equal(err.outcome, DN_OUTCOME_REFUSED);
	assert_string_equal(err.text, "process 7: descriptor 3 is a socket");
	assert_int_equal(dn_error_say(&err, -EIO, "plain"), -EIO);
	assert_string_equal(err.text, "plain");
}

static void test_error_without_place(void **state)
{
	assert_int_equal(dn_error_set(NULL, -EPERM, "x"), -EPERM);
	assert_int_equal(dn_error_say(NULL, -EPERM, "x"), -EPERM);
	assert_true(dn_error_wrap(NULL, "x") < 0);
}

static void test_error_too_long(void **state)
{
	struct dn_error err = {};
	char text[2 * DN_ERROR_TEXT_MAX];

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(dn_error_set(&err, -EIO, "%s", text), -EIO);
	assert_int_equal(strlen(err.text), DN_ERROR_TEXT_MAX - 1);
	assert_int_equal(dn_error_wrap(&err, "%s", text), -EIO);
	assert_int_equal(strlen(err.text), DN_ERROR_TEXT_MAX - 1);
}

static void test_stat(void **state)
{
	static const char text[] = "812 (a) b) (c) S 1 810 809 34816 811 4194560 86 0 0 0 1 2 0 0 20 -5 3 0 123456 "
				   "8000 90 18446744073709551615 "
				   "94000 95000 140000 0 0 0 65536 4 0 0 0 0 17 1 0 0 0 0 0 96000 97000 98000 140100 "
				   "140200 140300 140400 256\n";
	struct dn_stat s = {};

	assert_int_equal(dn_stat_parse(text, &s), 0);
	assert_string_equal(s.comm, "a) b) (c");
	assert_int_equal(s.state, 'S');
	assert_int_equal(s.ppid, 1);
	assert_int_equal(s.pgrp, 810);
	assert_int_equal(s.sid, 809);
	assert_int_equal(s.tty_nr, 34816);
	assert_int_equal(s.tpgid, 811);
	assert_int_equal(s.num_threads, 3);
	assert_int_equal(s.start_time, 123456);
	assert_int_equal(s.start_code, 94000);
	assert_int_equal(s.end_code, 95000);
	assert_int_equal(s.start_stack, 140000);
	assert_int_equal(s.exit_signal, 17);
	assert_int_equal(s.start_data, 96000);
	assert_int_equal(s.start_brk, 98000);
	assert_int_equal(s.env_end, 140400);
	assert_int_equal(s.exit_code, 256);
}

/* Cut anywhere it is refused, and the result untouched. */
static void test_stat_cut(void **state)
{
	char text[] = "1 (x) S 0 1 1 0 -1 4194560 8 0 0 0 1 2 0 0 20 0 1 0 12 8000 90 184467 9 9 1 0 0 0 6 4 0 0 0 0 "
		      "17 1 0 0 "
		      "0 0 0 9 9 9 1 1 1 1 0\n";
	struct dn_stat s = { .ppid = 77 };

	assert_int_equal(dn_stat_parse(text, &s), 0);
	s.ppid = 77;
	for (size_t n = strlen(text) - 2; n > 0; n--) {
		text[n] = '\0';
		assert_int_equal(dn_stat_parse(text, &s), -EINVAL);
		assert_int_equal(s.ppid, 77);
	}
	assert_int_equal(dn_stat_parse("", &s), -EINVAL);
	assert_int_equal(dn_stat_parse(")(", &s), -EINVAL);
	assert_int_equal(dn_stat_parse("1 (x) S a b c", &s), -EINVAL);
}

static void test_stat_self(void **state)
{
	struct dn_stat s, thread;
	struct dn_error err = {};

	assert_int_equal(dn_stat_read(getpid(), 0, &s, &err), 0);
	assert_int_equal(s.ppid, getppid());
	assert_int_equal(s.pgrp, getpgrp());
	assert_int_equal(s.state, 'R');
	assert_int_equal(dn_stat_read(getpid(), getpid(), &thread, &err), 0);
	assert_int_equal(s.start_time, thread.start_time);
	assert_int_equal(dn_stat_read(0x7fffffff, 0, &s, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/proc/2147483647/stat"));
}

static void test_text(void **state)
{
	_cleanup_text_ struct dn_text t = {};
	struct dn_error err = {};

	assert_int_equal(dn_read_text(&t, &err, "/proc/%d/status", getpid()), 0);
	assert_int_equal(strlen(t.data), t.len);
	assert_int_equal(atoi(dn_text_field(&t, "Pid")), getpid());
	assert_null(dn_text_field(&t, "Nothing"));
	assert_null(dn_text_field(&t, "Pi"));
	assert_null(dn_text_field(&t, "id"));
	/* Memory is used again. */
	assert_int_equal(dn_read_text(&t, &err, "/proc/self/comm"), 0);
	assert_string_equal(t.data, "test_base\n");
	assert_int_equal(dn_read_text(&t, &err, "/proc/self/nothing"), -ENOENT);
}

static void test_text_large(void **state)
{
	_cleanup_text_ struct dn_text t = {};
	char path[] = "/tmp/dunlin-test-XXXXXX";
	char line[] = "key: value that makes the line some forty bytes long\n";
	int fd = mkstemp(path);

	for (int i = 0; i < 5000; i++)
		assert_int_equal(dn_write_full(fd, line, strlen(line)), 0);
	assert_int_equal(dn_write_full(fd, "last:\t 7\n", 9), 0);
	close(fd);
	assert_int_equal(dn_read_text(&t, NULL, "%s", path), 0);
	unlink(path);
	assert_int_equal(t.len, 5000 * strlen(line) + 9);
	assert_int_equal(atoi(dn_text_field(&t, "last")), 7);
}

/* ---- JSON ---- */

static char *json_of(void (*write)(struct dn_json *j))
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	struct dn_json j = DN_JSON_INIT(f);

	write(&j);
	assert_int_equal(dn_json_finish(&j), 0);
	fclose(f);
	return text;
}

static void write_values(struct dn_json *j)
{
	dn_json_object(j, NULL);
	dn_json_bool(j, "yes", true);
	dn_json_int(j, "low", INT64_MIN);
	dn_json_uint(j, "high", UINT64_MAX);
	dn_json_ms(j, "ms", 1002003);
	dn_json_hex(j, "hex", 0xfffffffffffff000);
	dn_json_text(j, "none", NULL);
	dn_json_array(j, "empty");
	dn_json_array_end(j);
	dn_json_array(j, "list");
	dn_json_object(j, NULL);
	j->flat = true; /* what is within this object */
	dn_json_uint(j, "a", 1);
	dn_json_uint(j, "b", 2);
	dn_json_object_end(j);
	j->flat = false;
	dn_json_array_end(j);
	dn_json_object_end(j);
}

static void test_json(void **state)
{
	_cleanup_free_ char *text = json_of(write_values);

	assert_string_equal(
		text, "{\n\t\"yes\": true,\n\t\"low\": -9223372036854775808,\n\t\"high\": 18446744073709551615,\n"
		      "\t\"ms\": 1.002,\n\t\"hex\": \"0xfffffffffffff000\",\n\t\"none\": null,\n\t\"empty\": [],\n"
		      "\t\"list\": [\n\t\t{\"a\": 1, \"b\": 2}\n\t]\n}\n");
}

static void write_strings(struct dn_json *j)
{
	dn_json_array(j, NULL);
	j->flat = true;
	dn_json_text(j, NULL, "a\"b\\c\n\t\x01\x7f");
	dn_json_text(j, NULL, "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\xa6"); /* valid UTF-8 */
	dn_json_text(j, NULL, "\xff\xc3(\xc0\xaf\xed\xa0\x80\xf5\x80");		   /* none of it is */
	dn_json_text(j, NULL, "cut \xe2\x82");
	dn_json_text_n(j, NULL, "a\0b", 3);
	dn_json_array_end(j);
}

static void test_json_strings(void **state)
{
	_cleanup_free_ char *text = json_of(write_strings);

	assert_string_equal(
		text,
		"[\"a\\\"b\\\\c\\u000a\\u0009\\u0001\\u007f\", \"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\xa6\", "
		"\"\\ufffd\\ufffd(\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\", \"cut \\ufffd\\ufffd\", "
		"\"a\\u0000b\"]\n");
}

static void test_json_full(void **state)
{
	FILE *f = fopen("/dev/full", "w");
	struct dn_json j = DN_JSON_INIT(f);

	dn_json_uint(&j, NULL, 1);
	assert_int_equal(dn_json_finish(&j), -ENOSPC);
	fclose(f);
}

/* ---- util, log ---- */

static void test_grow(void **state)
{
	uint32_t *array = NULL;
	size_t cap = 0;

	for (uint32_t i = 0; i < 1000; i++) {
		assert_int_equal(dn_grow(&array, &cap, i, sizeof(*array)), 0);
		assert_true(cap > i);
		assert_int_equal(array[i], 0);
		array[i] = i + 1;
	}
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(array[i], i + 1);
	free(array);
}

static void test_full_io(void **state)
{
	char path[] = "/tmp/dunlin-test-XXXXXX", buf[64];
	int fd = mkstemp(path);

	unlink(path);
	assert_int_equal(dn_pwrite_full(fd, "0123456789", 10, 5), 0);
	assert_int_equal(dn_pread_full(fd, buf, 64, 5), 10);
	assert_memory_equal(buf, "0123456789", 10);
	assert_int_equal(dn_pread_full(fd, buf, 64, 100), 0);
	close(fd);
	assert_int_equal(dn_pread_full(fd, buf, 1, 0), -EBADF);
	assert_int_equal(dn_write_full(fd, buf, 1), -EBADF);
	assert_int_equal(dn_read_full(fd, buf, 1), -EBADF);
}

static void take_line(enum dn_log_level level, const char *line, void *arg)
{
	snprintf(arg, 64, "%d %s", (int)level, line);
}

static void test_log(void **state)
{
	char line[64] = "";

	dn_warn("nobody listens");
	dn_log_set_sink(take_line, line);
	dn_info("number %d", 5);
	assert_string_equal(line, "1 number 5");
	dn_log_set_sink(NULL, NULL);
	dn_warn("nobody again");
	assert_string_equal(line, "1 number 5");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_error),	       cmocka_unit_test(test_error_without_place),
		cmocka_unit_test(test_error_too_long), cmocka_unit_test(test_stat),
		cmocka_unit_test(test_stat_cut),       cmocka_unit_test(test_stat_self),
		cmocka_unit_test(test_text),	       cmocka_unit_test(test_text_large),
		cmocka_unit_test(test_json),	       cmocka_unit_test(test_json_strings),
		cmocka_unit_test(test_json_full),      cmocka_unit_test(test_grow),
		cmocka_unit_test(test_full_io),	       cmocka_unit_test(test_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
