/* SPDX-License-Identifier: BSD-3-Clause */
/* test_image.c - what is written is read back, by whatever way it went */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/util.h"
#include "image/format.h"
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
	return rmdir(folder); /* fails if a test left anything */
}

static void read_all_pages(const struct dn_image *image, uint64_t *ret_pages)
{
	struct dn_page_buffer b = {};
	struct dn_error err = {};
	unsigned char expected[4096];
	size_t count;

	assert_return_code(dn_page_buffer_init(&b, &err), 0);
	const struct dn_page_chunk *chunks = dn_image_chunks(image, &count);
	*ret_pages = 0;
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(dn_image_read_pages(image, &chunks[i], &b, &err), 0);
		assert_int_equal(b.page_count, chunks[i].pages);
		unsigned int page = 0;
		for (unsigned int k = 0; k < b.run_count; k++)
			for (uint64_t n = 0; n < b.runs[k].pages; n++, page++) {
				sample_page(expected, chunks[i].owner, b.runs[k].addr + n * 4096);
				assert_memory_equal(b.pages + page * 4096, expected, 4096);
			}
		assert_int_equal(page, b.page_count);
		*ret_pages += page;
	}
	dn_page_buffer_finish(&b);
}

static void check_sample(const char *path)
{
	struct dn_image *image = NULL;
	struct dn_error err = {};
	uint64_t pages;
	size_t count;

	if (dn_image_open(path, &image, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(dn_image_info(image)->command, "victim --of tests");
	struct dn_image_process *p = dn_image_processes(image, &count);
	assert_int_equal(count, 3);
	assert_int_equal(p[0].process->pid, 100);
	assert_int_equal(p[0].vma_count, 4);
	assert_int_equal(p[0].vmas[3]->kind, DN__VMA__KIND__VDSO);
	assert_int_equal(p[0].thread_count, 2);
	assert_int_equal(p[0].threads[1]->tid, 110);
	assert_int_equal(p[0].threads[0]->remaining_ns, 1500000000);
	assert_int_equal(p[1].vmas[0]->n_absent, 2);
	assert_int_equal(p[2].process->state, DN__PROCESS__STATE__ZOMBIE);
	dn_image_files(image, &count);
	assert_int_equal(count, 12);
	assert_int_equal(dn_image_file(image, 2)->position, 42);
	assert_int_equal(dn_image_object(image, 2)->size, 5);
	assert_memory_equal(dn_image_pipe(image, 1)->packets[0].data, "data in pipe", 12);
	assert_null(dn_image_file(image, 0));
	assert_null(dn_image_file(image, 13));
	assert_null(dn_image_pipe(image, 2));
	read_all_pages(image, &pages);
	assert_int_equal(pages, SAMPLE_PAGES * 2 / 3 + 251 + 2);
	dn_image_free(image);
}

static void test_file(void **state)
{
	struct sample s;
	struct dn_error err = {};
	struct stat st;

	sample_init(&s);
	mode_t old = umask(0777);
	int r = sample_write(&s, image_path, &err);
	umask(old);
	if (r < 0)
		fail_msg("%s", err.text);
	assert_return_code(stat(image_path, &st), errno);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(st.st_size % DN_BLOCK, 0);
	check_sample(image_path);
	/* Over what is there already. */
	assert_int_equal(sample_write(&s, image_path, &err), 0);
	check_sample(image_path);
}

static void test_pipe(void **state)
{
	struct sample s;
	struct dn_error err = {};
	int ends[2], status;

	sample_init(&s);
	assert_return_code(pipe(ends), errno);
	pid_t child = fork();
	if (child == 0) {
		dup2(ends[1], STDOUT_FILENO);
		close(ends[0]);
		close(ends[1]);
		_exit(sample_write(&s, "-", &err) < 0);
	}
	close(ends[1]);
	int saved = dup(STDIN_FILENO);
	dup2(ends[0], STDIN_FILENO);
	close(ends[0]);
	check_sample("-");
	dup2(saved, STDIN_FILENO);
	close(saved);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* A reader that goes away is an error, not a death by SIGPIPE. */
static void test_broken_pipe(void **state)
{
	struct sample s;
	struct dn_error err = {};
	int ends[2], status;

	sample_init(&s);
	assert_return_code(pipe(ends), errno);
	pid_t child = fork();
	if (child == 0) {
		signal(SIGPIPE, SIG_DFL);
		dup2(ends[1], STDOUT_FILENO);
		close(ends[0]);
		close(ends[1]);
		int r = sample_write(&s, "-", &err);
		raise(0); /* a signal that is still pending would come now */
		_exit(r == -EPIPE && strstr(err.text, "its reader is gone") ? 0 : 1);
	}
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void test_fifo_as_image(void **state)
{
	struct sample s;
	struct dn_error err = {};
	char fifo[80], text[4096];

	sample_init(&s);
	assert_int_equal(sample_write(&s, image_path, &err), 0);
	snprintf(fifo, sizeof(fifo), "%s/fifo", folder);
	assert_return_code(mkfifo(fifo, 0600), errno);
	pid_t child = fork();
	if (child == 0) {
		int in = open(image_path, O_RDONLY), out = open(fifo, O_WRONLY);
		ssize_t n;
		while ((n = read(in, text, sizeof(text))) > 0)
			if (dn_write_full(out, text, (size_t)n) < 0)
				_exit(1);
		_exit(0);
	}
	check_sample(fifo);
	assert_int_equal(waitpid(child, NULL, 0), child);
	unlink(fifo);
}

/* No room for the copy of what comes through a pipe: a refusal that says where, not a death by SIGXFSZ. */
static void test_no_room_to_spool(void **state)
{
	struct sample s;
	struct dn_error err = {};
	int ends[2], status;

	sample_init(&s);
	assert_return_code(pipe(ends), errno);
	pid_t writer = fork();
	if (writer == 0) {
		dup2(ends[1], STDOUT_FILENO);
		close(ends[0]);
		close(ends[1]);
		sample_write(&s, "-", &err);
		_exit(0);
	}
	pid_t reader = fork();
	if (reader == 0) {
		const struct rlimit limit = { 1 << 20, 1 << 20 };
		struct dn_image *none = NULL;
		signal(SIGXFSZ, SIG_DFL);
		setrlimit(RLIMIT_FSIZE, &limit);
		setenv("TMPDIR", folder, 1);
		dup2(ends[0], STDIN_FILENO);
		close(ends[0]);
		close(ends[1]);
		int r = dn_image_open("-", &none, &err);
		_exit(!(r == -EFBIG && strstr(err.text, folder) && strstr(err.text, "TMPDIR")));
	}
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(waitpid(reader, &status, 0), reader);
	assert_int_equal(status, 0);
	assert_int_equal(waitpid(writer, &status, 0), writer);
}

/* ---- many threads ---- */

enum { WORKERS = 4, CHUNKS = 24 };

struct worker {
	struct dn_image_writer *w;
	unsigned int number;
	int result;
	struct dn_error err;
};

static void *work(void *arg)
{
	struct worker *me = arg;
	struct dn_page_buffer b = {};

	me->result = dn_page_buffer_init(&b, &me->err);
	for (unsigned int c = 0; c < CHUNKS && me->result >= 0; c++) {
		b.page_count = 20;
		b.run_count = 1;
		b.runs[0] = (struct dn_run){ SAMPLE_ADDR + (me->number * CHUNKS + c) % 30 * 20 * 4096ul, 20 };
		for (unsigned int i = 0; i < 20; i++)
			sample_page(b.pages + i * 4096, 100, b.runs[0].addr + i * 4096ul);
		me->result = dn_image_write_pages(me->w, DN_PAGES_OWN, 100, &b, &me->err);
	}
	dn_page_buffer_finish(&b);
	return NULL;
}

static void test_parallel(void **state)
{
	struct sample s;
	struct dn_error err = {};
	struct dn_image_writer *w = NULL;
	struct dn_image *image = NULL;
	struct worker workers[WORKERS];
	pthread_t threads[WORKERS];
	uint64_t pages;

	sample_init(&s);
	assert_int_equal(dn_image_writer_new(image_path, &w, &err), 0);
	assert_false(dn_image_writer_is_pipe(w));
	assert_int_equal(sample_write_messages(&s, w, &err), 0);
	for (unsigned int i = 0; i < WORKERS; i++) {
		workers[i] = (struct worker){ .w = w, .number = i };
		assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
	}
	for (unsigned int i = 0; i < WORKERS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(workers[i].result, 0);
	}
	assert_int_equal(dn_image_commit(w, &err), 0);
	uint64_t written = dn_image_writer_bytes(w);
	dn_image_writer_free(w);
	assert_int_equal(dn_image_open(image_path, &image, &err), 0);
	assert_int_equal(dn_image_bytes(image), written);
	read_all_pages(image, &pages);
	assert_int_equal(pages, WORKERS * CHUNKS * 20);
	dn_image_free(image);
}

/* Beyond 32 MiB page records take another way (direct I/O on a disk). */
static void test_large(void **state)
{
	struct sample s;
	struct dn_error err = {};
	struct dn_image_writer *w = NULL;
	struct dn_image *image = NULL;
	struct dn_page_buffer b = {};
	uint64_t pages;

	sample_init(&s);
	assert_int_equal(dn_image_writer_new(image_path, &w, &err), 0);
	assert_int_equal(sample_write_messages(&s, w, &err), 0);
	assert_int_equal(dn_page_buffer_init(&b, &err), 0);
	for (unsigned int c = 0; c < 40; c++) {
		b.page_count = 256;
		b.run_count = 1;
		b.runs[0] = (struct dn_run){ SAMPLE_ADDR + c * 4096ul, 256 };
		for (unsigned int i = 0; i < 256; i++)
			sample_page(b.pages + i * 4096, 100, b.runs[0].addr + i * 4096ul);
		assert_int_equal(dn_image_write_pages(w, DN_PAGES_OWN, 100, &b, &err), 0);
	}
	/* A message behind them goes through the page cache again. */
	s.pipes.n_pipes = 0;
	assert_int_equal(dn_image_write_message(w, DN_RECORD_PIPES, &s.pipes.base, &err), 0);
	assert_int_equal(dn_image_commit(w, &err), 0);
	dn_image_writer_free(w);
	dn_page_buffer_finish(&b);
	assert_int_equal(dn_image_open(image_path, &image, &err), 0);
	assert_true(dn_image_bytes(image) > 40u << 20);
	read_all_pages(image, &pages);
	assert_int_equal(pages, 40 * 256);
	dn_image_free(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_pipe),
		cmocka_unit_test(test_broken_pipe),
		cmocka_unit_test(test_fifo_as_image),
		cmocka_unit_test(test_no_room_to_spool),
		cmocka_unit_test(test_parallel),
		cmocka_unit_test(test_large),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
