/* SPDX-License-Identifier: BSD-3-Clause */
/* test_image_nonsense.c - an image with good checksums that says what cannot be is refused */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/mman.h>

#include "base/util.h"
#include "image/format.h"
#include "image_sample.h"

static char image_path[] = "/tmp/dunlin-test-XXXXXX";
static char long_text[5000];

/* One change to the sample, and a word of the message that it must bring. */
#define CASES(X)                                                                                                       \
	X(info_architecture, "architecture", s->info.architecture = "aarch64")                                         \
	X(info_page_size, "4096", s->info.page_size = 16384)                                                           \
	X(info_root, "root", s->info.root_pid = 101)                                                                   \
	X(info_processes, "processes", s->info.processes = 4)                                                          \
	X(info_vdso, "vdso", s->info.vdso_hash = ((ProtobufCBinaryData){ 5, (uint8_t *)"12345" }))                     \
	X(file_no_id, "no id", s->file[3].id = 0)                                                                      \
	X(file_same_id, "two files", s->file[3].id = 3)                                                                \
	X(file_driver, "driver", s->file[3].driver = "")                                                               \
	X(file_relative, "path", s->data_path.path = "etc/passwd")                                                     \
	X(file_empty_path, "path", s->data_path.path = "")                                                             \
	X(file_dots, "path", s->data_path.path = "/tmp/../etc/passwd")                                                 \
	X(file_dots_at_end, "path", s->data_path.path = "/tmp/..")                                                     \
	X(file_dot, "path", s->data_path.path = "/tmp/./x")                                                            \
	X(file_long_path, "path", s->data_path.path = long_text)                                                       \
	X(file_no_object, "object 77", s->ghost_path.object = 77)                                                      \
	X(file_size, "bytes", s->data_path.size = UINT64_MAX)                                                          \
	X(file_no_mem, "object 0", s->mem.object = 0)                                                                  \
	X(file_no_pipe, "pipe 9", s->pipe_write.pipe = 9)                                                              \
	X(file_outside, "descriptor 3", s->outside.standard = 3)                                                       \
	X(file_owner, "owner", s->file[1].owner_type = 3)                                                              \
	X(file_signal, "signal", s->file[1].signal = 65)                                                               \
	X(pidfd_outside, "pidfd of 4711", s->pidfd.pid = 4711)                                                         \
	X(epoll_file, "watches file 99", s->watch[1].file = 99)                                                        \
	X(epoll_number, "descriptor 4000000000", s->watch[1].number = 4000000000)                                      \
	X(lock_kind, "lock", s->lock.kind = (Dn__FileLock__Kind)3)                                                     \
	X(lock_range, "lock", s->lock.start = 5; s->lock.end = 4)                                                      \
	X(lock_file, "lock", s->lock.file = 99)                                                                        \
	X(pipe_no_id, "no id", s->pipe[0].id = 0)                                                                      \
	X(pipe_full, "room", s->pipe[0].capacity = 11)                                                                 \
	X(pipe_huge, "room", s->pipe[0].capacity = UINT32_MAX)                                                         \
	X(pipe_none, "room", s->pipe[0].capacity = 0)                                                                  \
	X(object_kind, "kind", s->object[0].kind = (Dn__Object__Kind)77)                                               \
	X(object_size, "bytes", s->object[0].size = UINT64_MAX)                                                        \
	X(object_cut, "beyond the end", s->object[0].size = 4096)                                                      \
	X(object_huge, "pages", s->object[0].huge_shift = 63)                                                          \
	X(object_same_id, "two objects", s->object[0].id = 2)                                                          \
	X(object_name, "name", s->object[0].name = long_text)                                                          \
	X(mm_none, "memory", s->process[1].mm = NULL)                                                                  \
	X(mm_exe, "executable", s->mm.exe_file = 0)                                                                    \
	X(mm_auxv, "auxiliary", s->mm.auxv = ((ProtobufCBinaryData){ sizeof(long_text), (uint8_t *)long_text }))       \
	X(process_pid, "pid 0", s->process[1].pid = 0; s->threads[1].pid = 0; s->vmas[2].pid = 0)                      \
	X(process_foreground, "which no process is in", s->process[0].foreground = 99)                                 \
	X(process_big_pid, "group", s->process[1].pgid = DN_PID_LIMIT + 1)                                             \
	X(process_same_pid, "two processes", s->process[2].pid = 101)                                                  \
	X(process_no_root, "root", s->process[0].ppid = 101)                                                           \
	X(process_two_roots, "parent", s->process[1].ppid = 0)                                                         \
	X(process_own_parent, "parent", s->process[1].ppid = 101)                                                      \
	X(process_later_parent, "parent", s->process[1].ppid = 102)                                                    \
	X(process_no_parent, "parent", s->process[2].ppid = 7)                                                         \
	X(process_state, "state", s->process[1].state = (Dn__Process__State)3)                                         \
	X(process_umask, "umask", s->process[1].umask = 01000)                                                         \
	X(process_stop, "signal", s->process[1].stop_signal = 65)                                                      \
	X(process_exit, "ends with", s->process[2].exit_code = 0x10000)                                                \
	X(process_oom, "oom", s->process[1].oom_score_adj = -1001)                                                     \
	X(process_comm, "name", s->process[2].comm = long_text)                                                        \
	X(process_cwd, "working folder", s->process[1].cwd_file = 0)                                                   \
	X(process_root, "root folder", s->process[1].root_file = 1234)                                                 \
	X(process_action, "action", s->action.signal = 0)                                                              \
	X(process_pending, "pending", s->pending[0].len = 127)                                                         \
	X(process_pending_signal, "pending", s->siginfo.si_signo = -1)                                                 \
	X(process_limit, "limit", s->limit.soft = 3; s->limit.hard = 2)                                                \
	X(process_limit_id, "limit", s->limit.resource = 64)                                                           \
	X(process_timer, "timer", s->posix_timer.id = -1)                                                              \
	X(zombie_fds, "zombie", s->process[2].n_fds = 1; s->process[2].fds = s->fd_list)                               \
	X(zombie_parent, "zombie as its parent", s->process[1].state = DN__PROCESS__STATE__ZOMBIE;                     \
	  s->vmas[2].n_vmas = 0; s->threads[1].n_threads = 0; s->process[2].ppid = 101)                                \
	X(zombie_threads, "zombie", s->process[1].state = DN__PROCESS__STATE__ZOMBIE; s->vmas[2].n_vmas = 0)           \
	X(zombie_vmas, "zombie", s->process[1].state = DN__PROCESS__STATE__ZOMBIE; s->threads[1].n_threads = 0)        \
	X(fd_file, "descriptor 2", s->fd[2].file = 99)                                                                 \
	X(fd_no_file, "descriptor 2", s->fd[2].file = 0)                                                               \
	X(fd_twice, "twice", s->fd[5].number = 0)                                                                      \
	X(fd_number, "descriptor", s->fd[5].number = 8u << 20)                                                         \
	X(thread_none, "no threads", s->threads[1].n_threads = 0)                                                      \
	X(thread_leader, "leader", s->thread[0].tid = 111)                                                             \
	X(thread_same_id, "two threads", s->thread[1].tid = 101)                                                       \
	X(thread_same_as_leader, "two threads", s->thread[1].tid = 100)                                                \
	X(thread_zombie_id, "two threads", s->thread[1].tid = 102)                                                     \
	X(thread_id, "id", s->thread[1].tid = DN_PID_LIMIT + 1)                                                        \
	X(thread_of_nobody, "process 55", s->threads[1].pid = 55)                                                      \
	X(thread_registers, "registers", s->thread[1].registers.len--)                                                 \
	X(thread_no_registers, "registers", s->thread[1].registers.len = 0)                                            \
	X(thread_xsave, "processor state", s->thread[1].xsave.len = 100)                                               \
	X(thread_comm, "name", s->thread[1].comm.len = 17; s->thread[1].comm.data = (uint8_t *)long_text)              \
	X(thread_uids, "user ids", s->credentials.n_uids = 3)                                                          \
	X(thread_nice, "nice", s->scheduling.nice = 20)                                                                \
	X(thread_death, "death", s->thread[1].parent_death_signal = 65)                                                \
	X(vma_of_nobody, "process 55", s->vmas[1].pid = 55)                                                            \
	X(vma_order, "in order", s->vma[1].start -= 4096)                                                              \
	X(vma_empty, "not one", s->vma[1].end = s->vma[1].start)                                                       \
	X(vma_odd, "not one", s->vma[1].end += 1)                                                                      \
	X(vma_kernel, "not one", s->vma[3].end = (1ul << 47) + 4096)                                                   \
	X(vma_kind, "kind", s->vma[1].kind = (Dn__Vma__Kind)6)                                                         \
	X(vma_kind_negative, "kind", s->vma[1].kind = (Dn__Vma__Kind)-1)                                               \
	X(vma_prot, "protection", s->vma[1].prot = 0x01000000)                                                         \
	X(vma_no_file, "file 0", s->vma[1].file = 0)                                                                   \
	X(vma_anon_file, "file 1", s->vma[0].file = 1)                                                                 \
	X(vma_offset, "offset", s->vma[1].offset = 100)                                                                \
	X(vma_big_offset, "offset", s->vma[1].offset = INT64_MAX & ~4095ul)                                            \
	X(vma_huge, "pages", s->vma[1].huge_shift = 3)                                                                 \
	X(vma_name, "name", s->vma[0].name = long_text)                                                                \
	X(vma_guards_half, "guard", s->vma[0].n_guards = 1)                                                            \
	X(vma_guards_before, "guard", s->guards[0] = SAMPLE_ADDR - 4096)                                               \
	X(vma_guards_after, "guard", s->guards[1] = 0x20000000)                                                        \
	X(vma_absent, "absent", s->absent[1] = SAMPLE_ADDR)                                                            \
	X(vma_absent_alone, "inherits nothing", s->vma[4].inherit = false)                                             \
	X(vma_inherit_root, "root", s->vma[2].inherit = true; s->vma[2].inherit_end = s->vma[2].end)                   \
	X(vma_inherit_end, "inherited up to", s->vma[4].inherit_end = s->vma[4].end + 4096)                            \
	X(vma_gone, "no mapping", s->vma[0].end -= 4096 * 10)                                                          \
	X(chunk_owner, "object 1", s->objects.n_objects = 1; s->objects.objects = s->object_list + 1;                  \
	  s->file[5].mem = NULL)

#define DN_PID_LIMIT (1u << 22)

#define FUNCTION(name, word, ...)                                                                                      \
	static void change_##name(struct sample *s)                                                                    \
	{                                                                                                              \
		__VA_ARGS__;                                                                                           \
	}
CASES(FUNCTION)

static const struct {
	const char *name, *word;
	void (*change)(struct sample *s);
} cases[] = {
#define ENTRY(name, word, ...) { #name, word, change_##name },
	CASES(ENTRY)
};

static int make_name(void **state)
{
	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[0] = '/';
	int fd = mkstemp(image_path);
	return fd < 0 ? -1 : close(fd);
}

static int remove_image(void **state)
{
	return unlink(image_path);
}

static void test_sense(void **state)
{
	struct sample s;
	struct dn_error err = {};

	sample_init(&s);
	assert_int_equal(sample_write(&s, image_path, &err), 0);
	if (dn_verify(image_path, NULL, &err) < 0)
		fail_msg("%s", err.text);
}

static void test_nonsense(void **state)
{
	for (size_t i = 0; i < DN_ARRAY_LEN(cases); i++) {
		struct sample s;
		struct dn_error err = {};
		sample_init(&s);
		cases[i].change(&s);
		if (sample_write(&s, image_path, &err) < 0)
			fail_msg("%s: %s", cases[i].name, err.text);
		if (dn_verify(image_path, NULL, &err) != -EBADMSG)
			fail_msg("%s was accepted", cases[i].name);
		if (!strstr(err.text, cases[i].word) || !strstr(err.text, image_path))
			fail_msg("%s: '%s' does not say '%s'", cases[i].name, err.text, cases[i].word);
	}
}

/* Two info records, one that is not the first, none. */
static void test_info_first(void **state)
{
	struct sample s;
	struct dn_error err = {};
	struct dn_image_writer *w = NULL;

	sample_init(&s);
	assert_int_equal(dn_image_writer_new(image_path, &w, &err), 0);
	assert_int_equal(dn_image_write_message(w, DN_RECORD_FILES, &s.files.base, &err), -EINVAL);
	assert_int_equal(dn_image_write_message(w, DN_RECORD_INFO, &s.info.base, &err), 0);
	assert_int_equal(dn_image_write_message(w, DN_RECORD_INFO, &s.info.base, &err), -EINVAL);
	dn_image_writer_free(w);
}

static void test_no_process(void **state)
{
	struct sample s;
	struct dn_error err = {};
	struct dn_image_writer *w = NULL;

	sample_init(&s);
	assert_int_equal(dn_image_writer_new(image_path, &w, &err), 0);
	assert_int_equal(dn_image_write_message(w, DN_RECORD_INFO, &s.info.base, &err), 0);
	assert_int_equal(dn_image_commit(w, &err), 0);
	dn_image_writer_free(w);
	assert_int_equal(dn_verify(image_path, NULL, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "no process"));
}

/* A record whose type a reader does not know: only those that say so may be skipped. */
static void test_unknown_type(void **state)
{
	struct sample s;
	struct dn_error err = {};
	struct dn_image_writer *w = NULL;

	sample_init(&s);
	assert_int_equal(dn_image_writer_new(image_path, &w, &err), 0);
	assert_int_equal(sample_write_messages(&s, w, &err), 0);
	uint64_t at = dn_image_writer_bytes(w);
	assert_int_equal(dn_image_write_message(w, 77, &s.pipes.base, &err), 0);
	assert_int_equal(dn_image_commit(w, &err), 0);
	dn_image_writer_free(w);
	assert_int_equal(dn_verify(image_path, NULL, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "not known"));

	union {
		struct dn_record_header h;
		unsigned char block[DN_BLOCK];
	} u;
	FILE *f = fopen(image_path, "r+e");
	assert_non_null(f);
	assert_int_equal(dn_pread_full(fileno(f), &u, sizeof(u), (off_t)at), sizeof(u));
	assert_int_equal(u.h.type, 77);
	u.h.flags = DN_RECORD_OPTIONAL;
	dn_record_seal_header(&u.h);
	assert_int_equal(dn_pwrite_full(fileno(f), &u, sizeof(u), (off_t)at), 0);
	fclose(f);
	if (dn_verify(image_path, NULL, &err) < 0)
		fail_msg("%s", err.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sense),	     cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_info_first),   cmocka_unit_test(test_no_process),
		cmocka_unit_test(test_unknown_type),
	};

	return cmocka_run_group_tests(tests, make_name, remove_image);
}
