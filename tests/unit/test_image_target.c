/* SPDX-License-Identifier: BSD-3-Clause */
/* test_image_target.c - where an image may be written, and what is left when it cannot */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/util.h"
#include "image_sample.h"

static char folder[] = "/tmp/dunlin-test-XXXXXX";
static char image_path[64];

static int make_folder(void **state)
{
	if (!mkdtemp(folder))
		return -1;
	snprintf(image_path, sizeof(image_path), "%s/image", folder);
	return 0;
}

static int remove_folder(void **state)
{
	unlink(image_path);
	return rmdir(folder);
}

/* Names in a folder, hidden ones too. */
static size_t count_entries(const char *path)
{
	size_t n = 0;
	DIR *dir = opendir(path);

	assert_non_null(dir);
	for (struct dirent *e = readdir(dir); e; e = readdir(dir))
		n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
	closedir(dir);
	return n;
}

static void write_sample(const char *path)
{
	struct sample s;
	struct dn_error err = {};

	sample_init(&s);
	if (sample_write(&s, path, &err) < 0)
		fail_msg("%s", err.text);
}

static void expect_refused(const char *path, int code, const char *word)
{
	struct dn_image_writer *w = NULL;
	struct dn_error err = {};

	assert_int_equal(dn_image_writer_new(path, &w, &err), code);
	assert_null(w);
	assert_non_null(strstr(err.text, path));
	if (!strstr(err.text, word))
		fail_msg("'%s' does not say '%s'", err.text, word);
}

static void test_bad_places(void **state)
{
	char path[128];

	expect_refused("/dev/null", -EEXIST, "a device");
	expect_refused("/dev/stdout", -EEXIST, "symbolic link");
	expect_refused("/", -EISDIR, "folder");
	expect_refused("/tmp/", -EISDIR, "folder");
	expect_refused("/tmp", -EEXIST, "a folder");
	expect_refused("..", -EISDIR, "folder");
	expect_refused("", -EINVAL, "name");
	expect_refused("/nonexistent/image", -ENOENT, "no folder /nonexistent");
	expect_refused("/etc/passwd/image", -ENOTDIR, "/etc/passwd");
	snprintf(path, sizeof(path), "%s/fifo", folder);
	assert_return_code(mkfifo(path, 0600), errno);
	expect_refused(path, -EEXIST, "a FIFO");
	unlink(path);
	assert_int_equal(count_entries(folder), 0);
}

static void test_abandoned(void **state)
{
	struct sample s;
	struct dn_image_writer *w = NULL;
	struct dn_error err = {};

	sample_init(&s);
	assert_int_equal(dn_image_writer_new(image_path, &w, &err), 0);
	assert_int_equal(sample_write_messages(&s, w, &err), 0);
	assert_int_equal(count_entries(folder), 1);
	assert_int_equal(access(image_path, F_OK), -1);
	dn_image_writer_free(w);
	assert_int_equal(count_entries(folder), 0);
}

static void test_long_name(void **state)
{
	char path[300], name[256];

	memset(name, 'n', 255);
	name[255] = '\0';
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	write_sample(path);
	assert_int_equal(dn_verify(path, NULL, NULL), 0);
	assert_return_code(unlink(path), errno);
	assert_int_equal(count_entries(folder), 0);
}

/* A relative path means what it meant at the start, even if the caller moves. */
static void test_relative_path(void **state)
{
	struct sample s;
	struct dn_image_writer *w = NULL;
	struct dn_error err = {};
	_cleanup_fd_ int here = open(".", O_RDONLY | O_DIRECTORY);

	sample_init(&s);
	assert_return_code(chdir(folder), errno);
	assert_int_equal(dn_image_writer_new("image", &w, &err), 0);
	assert_int_equal(sample_write_messages(&s, w, &err), 0);
	assert_return_code(fchdir(here), errno);
	assert_int_equal(dn_image_commit(w, &err), 0);
	dn_image_writer_free(w);
	assert_int_equal(dn_verify(image_path, NULL, &err), 0);
	unlink(image_path);
}

/* ---- what a killed writer leaves ---- */

/* A process that begins an image and is there until killed. */
static pid_t start_writer(void)
{
	int ends[2];
	char byte;

	assert_return_code(pipe(ends), errno);
	pid_t child = fork();
	if (child == 0) {
		struct dn_image_writer *w = NULL;
		if (dn_image_writer_new(image_path, &w, NULL) < 0 || write(ends[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ends[1]);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	close(ends[0]);
	return child;
}

static void test_stale(void **state)
{
	char other[96];

	pid_t killed = start_writer(), living = start_writer();
	/* Not ours, though it looks a little like it. */
	snprintf(other, sizeof(other), "%s/.image2.dunlin-tmp-0123456789abcdef", folder);
	assert_return_code(close(open(other, O_CREAT | O_WRONLY, 0600)), errno);
	kill(killed, SIGKILL);
	waitpid(killed, NULL, 0);
	assert_int_equal(count_entries(folder), 3);
	write_sample(image_path);
	assert_int_equal(count_entries(folder), 3); /* image, the living one's, the other */
	assert_int_equal(access(other, F_OK), 0);
	kill(living, SIGKILL);
	waitpid(living, NULL, 0);
	write_sample(image_path);
	assert_int_equal(count_entries(folder), 2);
	unlink(other);
	unlink(image_path);
}

/* Two at once to the same name: both succeed, and the result is one of them. */
static void test_two_writers(void **state)
{
	struct sample s;
	struct dn_image_writer *first = NULL, *second = NULL;
	struct dn_error err = {};

	sample_init(&s);
	assert_int_equal(dn_image_writer_new(image_path, &first, &err), 0);
	assert_int_equal(sample_write_messages(&s, first, &err), 0);
	assert_int_equal(dn_image_writer_new(image_path, &second, &err), 0);
	assert_int_equal(sample_write_messages(&s, second, &err), 0);
	assert_int_equal(dn_image_commit(first, &err), 0);
	assert_int_equal(dn_image_commit(second, &err), 0);
	dn_image_writer_free(first);
	dn_image_writer_free(second);
	assert_int_equal(dn_verify(image_path, NULL, &err), 0);
	assert_int_equal(count_entries(folder), 1);
	unlink(image_path);
}

/* ---- no room ---- */

/* In a child, as limits and mounts are: writes until it fails, and expects word in the message. */
static int write_until_full(const char *path, int code, const char *word)
{
	struct sample s;
	struct dn_image_writer *w = NULL;
	struct dn_page_buffer b = {};
	struct dn_error err = {};
	int r = 0;

	sample_init(&s);
	if (dn_image_writer_new(path, &w, &err) < 0 || dn_page_buffer_init(&b, &err) < 0 ||
	    sample_write_messages(&s, w, &err) < 0)
		return 1;
	for (int i = 0; i < 64 && r >= 0; i++) {
		b.page_count = 256;
		b.run_count = 1;
		b.runs[0] = (struct dn_run){ SAMPLE_ADDR, 256 };
		r = dn_image_write_pages(w, DN_PAGES_OWN, 100, &b, &err);
	}
	dn_page_buffer_finish(&b);
	if (r != code || !strstr(err.text, word) || !strstr(err.text, path)) {
		fprintf(stderr, "%d: %s\n", r, err.text);
		return 2;
	}
	/* It stays failed: no commit of an image with a hole. */
	if (dn_image_commit(w, &err) >= 0)
		return 3;
	dn_image_writer_free(w);
	return 0;
}

static void expect_child_succeeds(pid_t child)
{
	int status;

	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(status, 0);
}

static void test_file_size_limit(void **state)
{
	write_sample(image_path);
	pid_t child = fork();
	if (child == 0) {
		const struct rlimit limit = { 10 << 20, 10 << 20 };
		signal(SIGXFSZ, SIG_DFL);
		setrlimit(RLIMIT_FSIZE, &limit);
		_exit(write_until_full(image_path, -EFBIG, "ulimit -f"));
	}
	expect_child_succeeds(child);
	/* The image that was there is untouched, and nothing is beside it. */
	assert_int_equal(dn_verify(image_path, NULL, NULL), 0);
	assert_int_equal(count_entries(folder), 1);
	unlink(image_path);
}

static void test_disk_full(void **state)
{
	pid_t child = fork();
	if (child == 0) {
		/* A file system of its own, seen by nobody else; needs privilege. */
		if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		    mount("tmpfs", folder, "tmpfs", 0, "size=8m") < 0)
			_exit(77);
		int r = write_until_full(image_path, -ENOSPC, "the disk is full");
		_exit(r ? r : count_entries(folder) != 0);
	}
	expect_child_succeeds(child);
}

static void test_no_permission(void **state)
{
	pid_t child = fork();
	if (child == 0) {
		struct dn_image_writer *w = NULL;
		struct dn_error err = {};
		if (geteuid() != 0 || setresuid(65534, 65534, 65534) < 0)
			_exit(77);
		int r = dn_image_writer_new("/etc/image", &w, &err);
		_exit(!(r == -EACCES && strstr(err.text, "no permission") && strstr(err.text, "/etc")));
	}
	expect_child_succeeds(child);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_places),	cmocka_unit_test(test_abandoned),
		cmocka_unit_test(test_long_name),	cmocka_unit_test(test_relative_path),
		cmocka_unit_test(test_stale),		cmocka_unit_test(test_two_writers),
		cmocka_unit_test(test_file_size_limit), cmocka_unit_test(test_disk_full),
		cmocka_unit_test(test_no_permission),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
