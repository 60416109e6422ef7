/* SPDX-License-Identifier: BSD-3-Clause */
/* test_files.c - open files of a stopped child: captured, opened again in this process, or refused */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

#include "base/util.h"
#include "image_sample.h"
#include "resource/context.h"
#include "resource/drivers.h"
#include "resource/filetable.h"

static char folder[] = "/tmp/dunlin-test-XXXXXX";
static struct dn_error error;

static const char *in_folder(const char *name)
{
	static char paths[4][128];
	static unsigned int next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
}

static int make_folder(void **state)
{
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command);
}

/* ---- a child with open files, and its capture ---- */

struct subject {
	struct dn_process process, *list;
	struct dn_checkpoint_options options;
	struct dn_capture capture;
	Dn__Process *message;
};

/* The child runs open_files with only 0, 1 and 2 (all of them /dev/null) and stops. */
static void start(struct subject *s, void (*open_files)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);
		for (int i = 0; i < 3; i++)
			dup2(null, i);
		syscall(SYS_close_range, 3, ~0U, 0);
		open_files();
		raise(SIGSTOP);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	*s = (struct subject){ .options = DN_CHECKPOINT_OPTIONS_INIT };
	s->process.pid = pid;
	s->process.pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	s->list = &s->process;
	s->capture.options = &s->options;
	s->capture.processes = &s->list;
	s->capture.process_count = 1;
	s->message = malloc(sizeof(*s->message));
	dn__process__init(s->message);
	s->message->pid = s->message->pgid = s->message->sid = (uint32_t)pid;
	s->message->exit_signal = SIGCHLD;
}

static void stop(struct subject *s)
{
	kill(s->process.pid, SIGKILL);
	waitpid(s->process.pid, NULL, 0);
	close(s->process.pidfd);
	dn_files_capture_finish(&s->capture);
	dn__process__free_unpacked(s->message, NULL);
}

static uint32_t file_at(const Dn__Process *p, uint32_t number)
{
	for (size_t i = 0; i < p->n_fds; i++)
		if (p->fds[i]->number == number)
			return p->fds[i]->file;
	return 0;
}

/* Captures everything and writes an image of that one process. */
static int write_image(struct subject *s, const char *path)
{
	struct sample *sample = calloc(1, sizeof(*sample));
	struct dn_image_writer *w = NULL;
	Dn__Thread *threads[1];
	Dn__Threads list = DN__THREADS__INIT;

	assert_int_equal(dn_image_writer_new(path, &w, &error), 0);
	s->capture.writer = w;
	sample_init(sample);
	sample->info.root_pid = s->message->pid;
	sample->info.processes = sample->info.threads = 1;
	sample->thread[0].tid = s->message->pid;
	threads[0] = &sample->thread[0];
	list.pid = s->message->pid;
	list.n_threads = 1;
	list.threads = threads;
	s->message->mm = malloc(sizeof(Dn__Mm));
	dn__mm__init(s->message->mm);
	int r = dn_image_write_message(w, DN_RECORD_INFO, &sample->info.base, &error);
	if (r == 0)
		r = dn_files_capture(&s->capture, &s->process, s->message, &error);
	if (r == 0)
		r = dn_files_capture_link(&s->capture, &s->process, "cwd", &s->message->cwd_file, &error);
	if (r == 0)
		r = dn_files_capture_link(&s->capture, &s->process, "root", &s->message->root_file, &error);
	if (r == 0)
		r = dn_files_capture_link(&s->capture, &s->process, "exe", &s->message->mm->exe_file, &error);
	if (r == 0)
		r = dn_files_capture_end(&s->capture, &error);
	if (r == 0)
		r = dn_image_write_message(w, DN_RECORD_PROCESS, &s->message->base, &error);
	if (r == 0)
		r = dn_image_write_message(w, DN_RECORD_THREADS, &list.base, &error);
	if (r == 0)
		r = dn_image_commit(w, &error);
	dn_image_writer_free(w);
	free(sample);
	return r;
}

/* ---- opening it all again ---- */

struct opened {
	struct dn_restart_options options;
	struct dn_restore restore;
	const Dn__Process *process;
};

/* Captures what open_files opens; kills the child; reads the image. */
static void pass_through(struct opened *o, void (*open_files)(void))
{
	const char *path = in_folder("image");
	struct subject s;
	size_t count;

	start(&s, open_files);
	if (write_image(&s, path) < 0)
		fail_msg("%s", error.text);
	stop(&s);
	*o = (struct opened){ .options = DN_RESTART_OPTIONS_INIT };
	o->restore.options = &o->options;
	if (dn_image_open(path, &o->restore.image, &error) < 0)
		fail_msg("%s", error.text);
	o->process = dn_image_processes(o->restore.image, &count)[0].process;
	assert_int_equal(count, 1);
}

static void open_again(struct opened *o)
{
	if (dn_files_check(&o->restore, &error) < 0 || dn_files_open(&o->restore, &error) < 0)
		fail_msg("%s", error.text);
}

static int descriptor(struct opened *o, uint32_t number)
{
	int fd = dn_files_descriptor(&o->restore, file_at(o->process, number));

	assert_true(fd > 2);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	return fd;
}

static void let_go(struct opened *o)
{
	dn_files_restore_finish(&o->restore);
	dn_image_free(o->restore.image);
}

static void assert_reads(int fd, const char *text)
{
	char buf[256] = "";

	assert_int_equal(read(fd, buf, sizeof(buf) - 1), strlen(text));
	assert_string_equal(buf, text);
}

static void assert_link(int fd, const char *name)
{
	char path[64], link[256] = "";

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	assert_true(readlink(path, link, sizeof(link) - 1) > 0);
	assert_string_equal(link, name);
}

/* ---- tests: what comes back ---- */

static void open_regular(void)
{
	int fd = open(in_folder("data"), O_RDWR | O_CREAT | O_CLOEXEC, 0640);

	if (write(fd, "0123456789", 10) == 10)
		lseek(fd, 4, SEEK_SET);				/* 3 */
	dup2(fd, 500);						/* the same description */
	open(in_folder("data"), O_WRONLY | O_APPEND);		/* 4 */
	open(folder, O_RDONLY | O_DIRECTORY);			/* 5 */
	open(in_folder("data"), O_PATH);			/* 6 */
	open(in_folder("a (deleted)"), O_RDWR | O_CREAT, 0600); /* 7 */
	fd = open(in_folder("old"), O_RDWR | O_CREAT, 0600);	/* 8 */
	link(in_folder("old"), in_folder("new"));
	unlink(in_folder("old"));
	open("/dev/zero", O_RDONLY); /* 9 */
}

static void regular_files(void **state)
{
	struct opened o;
	char zeros[4] = "abc";

	pass_through(&o, open_regular);
	assert_int_equal(file_at(o.process, 3), file_at(o.process, 500));
	assert_int_not_equal(file_at(o.process, 3), file_at(o.process, 4));
	assert_true(o.process->fds[3]->close_on_exec && !o.process->fds[4]->close_on_exec);
	open_again(&o);
	assert_int_equal(lseek(descriptor(&o, 3), 0, SEEK_CUR), 4);
	assert_reads(descriptor(&o, 3), "456789");
	assert_int_equal(fcntl(descriptor(&o, 4), F_GETFL) & (O_ACCMODE | O_APPEND), O_WRONLY | O_APPEND);
	assert_int_equal(fcntl(descriptor(&o, 6), F_GETFL), O_PATH);
	assert_link(descriptor(&o, 7), in_folder("a (deleted)"));
	assert_link(descriptor(&o, 8), in_folder("new"));
	assert_int_equal(read(descriptor(&o, 9), zeros, sizeof(zeros)), 4);
	assert_memory_equal(zeros, "\0\0\0\0", 4);
	let_go(&o);
}

static void open_deleted(void)
{
	int fd = open(in_folder("ghost"), O_RDWR | O_CREAT, 0604);

	ftruncate(fd, 1 << 20);
	unlink(in_folder("ghost"));
	fd = memfd_create("mine", MFD_ALLOW_SEALING); /* 4 */
	ftruncate(fd, 5000);
	fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW);
	fd = open(in_folder("moved"), O_RDWR | O_CREAT, 0600); /* 5 */
	if (write(fd, "here", 4) != 4)
		_exit(1);
	mkdir(in_folder("below"), 0755);
	link(in_folder("moved"), in_folder("below/moved"));
	unlink(in_folder("moved"));
}

static void deleted_files(void **state)
{
	struct opened o;
	struct stat st;

	pass_through(&o, open_deleted);
	open_again(&o);
	int content = dn_objects_descriptor(&o.restore, 1);
	assert_true(content >= 0);
	assert_int_equal(pwrite(content, "content", 7, 1000), 7);
	assert_int_equal(dn_objects_descriptor(&o.restore, 3), -ESTALE); /* a link of it lives on */
	assert_int_equal(dn_objects_descriptor(&o.restore, 9), -ENOENT);
	if (dn_objects_seal(&o.restore, &error) < 0)
		fail_msg("%s", error.text);
	assert_int_equal(fstat(descriptor(&o, 3), &st), 0);
	assert_int_equal(st.st_size, 1 << 20);
	assert_int_equal(st.st_nlink, 0);
	assert_int_equal(st.st_mode & 07777, 0604);
	assert_link(descriptor(&o, 3), in_folder("ghost (deleted)"));
	lseek(descriptor(&o, 3), 1000, SEEK_SET);
	char buf[8] = "";
	assert_int_equal(read(descriptor(&o, 3), buf, 7), 7);
	assert_string_equal(buf, "content");
	assert_int_equal(fcntl(descriptor(&o, 4), F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW);
	lseek(descriptor(&o, 5), 0, SEEK_SET);
	assert_reads(descriptor(&o, 5), "here");
	let_go(&o);
}

static void open_pipes(void)
{
	int fds[2];

	if (pipe(fds) < 0 || write(fds[1], "data", 4) != 4) /* 3 4 */
		_exit(1);
	if (pipe2(fds, O_DIRECT) < 0 || write(fds[1], "one", 3) != 3 || write(fds[1], "three", 5) != 5) /* 5 6 */
		_exit(1);
	if (pipe(fds) < 0 || write(fds[1], "last", 4) != 4) /* 7 */
		_exit(1);
	close(fds[1]);
	mkfifo(in_folder("fifo"), 0600);
	open(in_folder("fifo"), O_RDONLY | O_NONBLOCK);		 /* 8 */
	int fd = open(in_folder("fifo"), O_WRONLY | O_NONBLOCK); /* 9 */
	if (write(fd, "named", 5) != 5)
		_exit(1);
	fcntl(3, F_SETPIPE_SZ, 1 << 17);
}

static void pipes(void **state)
{
	struct opened o;
	char byte;

	pass_through(&o, open_pipes);
	open_again(&o);
	assert_int_equal(fcntl(descriptor(&o, 4), F_GETPIPE_SZ), 1 << 17);
	assert_reads(descriptor(&o, 3), "data");
	assert_int_equal(fcntl(descriptor(&o, 6), F_GETFL), O_WRONLY | O_DIRECT);
	assert_reads(descriptor(&o, 5), "one");
	assert_reads(descriptor(&o, 5), "three");
	assert_reads(descriptor(&o, 7), "last");
	assert_int_equal(read(descriptor(&o, 7), &byte, 1), 0);
	assert_reads(descriptor(&o, 8), "named");
	let_go(&o);
}

static void open_timers(void)
{
	struct itimerspec value = { .it_value.tv_nsec = 1, .it_interval.tv_sec = 1000 };

	timerfd_settime(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK), 0, &value, NULL); /* 3 */
	clock_gettime(CLOCK_REALTIME, &value.it_value);
	value.it_value.tv_sec += 5000;
	timerfd_settime(timerfd_create(CLOCK_REALTIME, 0), TFD_TIMER_ABSTIME, &value, NULL); /* 4 */
	usleep(10000);
}

static void timers(void **state)
{
	struct itimerspec value;
	struct opened o;
	uint64_t ticks = 0;

	pass_through(&o, open_timers);
	open_again(&o);
	timerfd_gettime(descriptor(&o, 4), &value);
	assert_int_equal(value.it_value.tv_sec, 0);
	if (dn_files_start(&o.restore, &error) < 0)
		fail_msg("%s", error.text);
	assert_int_equal(read(descriptor(&o, 3), &ticks, sizeof(ticks)), sizeof(ticks));
	assert_int_equal(ticks, 1);
	timerfd_gettime(descriptor(&o, 3), &value);
	assert_int_equal(value.it_interval.tv_sec, 1000);
	assert_in_range(value.it_value.tv_sec, 1, 1000);
	timerfd_gettime(descriptor(&o, 4), &value);
	assert_in_range(value.it_value.tv_sec, 1, 5000);
	let_go(&o);
}

static void open_locked(void)
{
	struct flock lock = { .l_type = F_WRLCK, .l_start = 10, .l_len = 5 };

	flock(open(in_folder("flock"), O_RDWR | O_CREAT, 0600), LOCK_EX); /* 3 */
	int fd = open(in_folder("posix"), O_RDWR | O_CREAT, 0600);	  /* 4 */
	fcntl(fd, F_SETLK, &lock);
	dup(fd);
}

static void locks(void **state)
{
	struct opened o;

	pass_through(&o, open_locked);
	assert_int_equal(o.process->n_locks, 1);
	assert_int_equal(o.process->locks[0]->start, 10);
	assert_int_equal(o.process->locks[0]->end, 14);
	assert_true(o.process->locks[0]->write);
	open_again(&o);
	int other = open(in_folder("flock"), O_RDWR);
	assert_int_equal(flock(other, LOCK_EX | LOCK_NB), -1);
	let_go(&o);
	close(other);
	/* What somebody else has locked meanwhile cannot be had. */
	pass_through(&o, open_locked);
	other = open(in_folder("flock"), O_RDWR | O_CLOEXEC);
	assert_int_equal(flock(other, LOCK_EX | LOCK_NB), 0);
	assert_int_equal(dn_files_check(&o.restore, &error), 0);
	assert_int_equal(dn_files_open(&o.restore, &error), -EAGAIN);
	assert_non_null(strstr(error.text, in_folder("flock")));
	let_go(&o);
	close(other);
}

/* ---- tests: files that changed ---- */

static void open_changing(void)
{
	int fd = open(in_folder("changing"), O_RDWR | O_CREAT | O_TRUNC, 0600);

	if (write(fd, "twelve bytes", 12) != 12)
		_exit(1);
}

static void changed_files(void **state)
{
	const char *path = in_folder("changing");
	struct opened o;
	struct stat st;

	pass_through(&o, open_changing);
	assert_int_equal(truncate(path, 11), 0);
	assert_int_equal(dn_files_check(&o.restore, &error), -ESTALE);
	assert_non_null(strstr(error.text, "only 11"));
	unlink(path);
	assert_int_equal(dn_files_check(&o.restore, &error), -ENOENT);
	assert_non_null(strstr(error.text, path));
	mkdir(path, 0755);
	assert_int_equal(dn_files_check(&o.restore, &error), -ESTALE);
	rmdir(path);
	let_go(&o);

	pass_through(&o, open_changing);
	assert_int_equal(truncate(path, 20), 0);
	open_again(&o);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 20);
	let_go(&o);
	pass_through(&o, open_changing);
	assert_int_equal(truncate(path, 20), 0);
	o.options.rollback_files = true;
	open_again(&o);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 20);
	assert_int_equal(dn_files_start(&o.restore, &error), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 12);
	let_go(&o);
}

/* ---- tests: eventfds where the kernel does not tell ---- */

static void semaphores(void **state)
{
	static const uint64_t counts[] = { 0, 1, 2, 3, 1000, UINT64_MAX - 1 };

	for (size_t i = 0; i < 2 * DN_ARRAY_LEN(counts); i++) {
		uint64_t count = counts[i / 2], got = 0;
		bool semaphore = !(i % 2);
		int fd = eventfd(0, EFD_NONBLOCK | (i % 2 ? EFD_SEMAPHORE : 0));
		if (count)
			assert_int_equal(write(fd, &count, sizeof(count)), sizeof(count));
		assert_int_equal(dn_eventfd_try(fd, count, &semaphore), 0);
		assert_int_equal(semaphore, i % 2);
		/* A semaphore of 2^64 is not counted down. */
		uint64_t left = i % 2 ? DN_MIN(count, (uint64_t)2000) : count != 0;
		for (uint64_t k = 0; k < left; k++)
			assert_int_equal(read(fd, &got, sizeof(got)), sizeof(got));
		if (left)
			assert_int_equal(got, i % 2 ? 1 : count);
		if (left < 2000)
			assert_int_equal(read(fd, &got, sizeof(got)), -1);
		close(fd);
	}
}

/* ---- tests: what is refused ---- */

static void open_socket(void)
{
	socket(AF_NETLINK, SOCK_RAW, 0);
}

static void open_inotify(void)
{
	inotify_init();
}

static void open_lease(void)
{
	fcntl(open(in_folder("lease"), O_RDWR | O_CREAT, 0600), F_SETLEASE, F_WRLCK);
}

static void open_gone_process(void)
{
	char path[64];
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	open(path, O_RDONLY);
	waitpid(pid, NULL, 0);
}

static void refusals(void **state)
{
	static const struct {
		void (*open_files)(void);
		const char *says;
	} cases[] = {
		{ open_socket, "socket" },
		{ open_inotify, "inotify" },
		{ open_lease, "lease" },
		{ open_gone_process, "gone" },
	};
	char whose[64];

	for (size_t i = 0; i < DN_ARRAY_LEN(cases); i++) {
		struct subject s;
		start(&s, cases[i].open_files);
		error = (struct dn_error){};
		assert_int_equal(dn_files_capture(&s.capture, &s.process, s.message, &error), -ENOTSUP);
		assert_int_equal(error.outcome, DN_OUTCOME_REFUSED);
		snprintf(whose, sizeof(whose), "process %d ", s.process.pid);
		assert_non_null(strstr(error.text, whose));
		assert_non_null(strstr(error.text, "descriptor 3 "));
		if (!strstr(error.text, cases[i].says))
			fail_msg("'%s' says nothing of %s", error.text, cases[i].says);
		stop(&s);
	}
}

static int outer[2];

static void open_outer(void)
{
	/* The parent's pipe was closed: its read end is had again through the parent. */
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", getppid(), outer[0]);
	open(path, O_RDONLY);
}

static void open_outer_input(void)
{
	open_outer();
	dup2(3, 0);
}

static void pipes_from_outside(void **state)
{
	struct opened o;
	struct subject s;

	assert_int_equal(pipe2(outer, O_CLOEXEC), 0);
	start(&s, open_outer);
	assert_int_equal(write_image(&s, in_folder("image")), -ENOTSUP);
	assert_non_null(strstr(error.text, "descriptor 3 "));
	stop(&s);
	pass_through(&o, open_outer_input);
	assert_int_equal(file_at(o.process, 0), file_at(o.process, 3));
	const Dn__File *file = dn_image_file(o.restore.image, file_at(o.process, 0));
	assert_string_equal(file->driver, "outside");
	assert_int_equal(file->outside->standard, 0);
	let_go(&o);
	/* With nobody at the other end there is nothing outside. */
	close(outer[1]);
	pass_through(&o, open_outer);
	assert_string_equal(dn_image_file(o.restore.image, file_at(o.process, 3))->driver, "pipe");
	let_go(&o);
	close(outer[0]);
}

/* ---- tests: many ---- */

#define MANY 3000

static void open_many(void)
{
	for (int i = 0; i < MANY; i++)
		open("/dev/null", i & 1 ? O_RDONLY : O_RDWR);
}

static void many_of_one(void **state)
{
	struct opened o;
	size_t at_home = 0;

	pass_through(&o, open_many);
	for (uint32_t i = 3; i < MANY + 3; i++)
		for (uint32_t k = 0; k < 3; k++)
			assert_int_not_equal(file_at(o.process, i), o.process->fds[k]->file);
	open_again(&o);
	for (uint32_t i = 3; i < MANY + 3; i++)
		at_home += descriptor(&o, i) == (int)i;
	assert_in_range(at_home, MANY - 100, MANY); /* this process has some descriptors of its own */
	let_go(&o);
}

static void id_map(void **state)
{
	struct dn_idmap m = {};

	assert_int_equal(dn_idmap_get(&m, 1, 1, 1), 0);
	for (uint32_t i = 1; i <= 5000; i++)
		*dn_idmap_at(&m, 1 + i % 3, i, i * 7) = i;
	for (uint32_t i = 1; i <= 5000; i++) {
		assert_int_equal(dn_idmap_get(&m, 1 + i % 3, i, i * 7), i);
		assert_int_equal(dn_idmap_get(&m, 1 + (i + 1) % 3, i, i * 7), 0);
	}
	dn_idmap_finish(&m);
	assert_int_equal(dn_proc_pid("/proc/12/stat"), 12);
	assert_int_equal(dn_proc_pid("/proc/12"), 12);
	assert_int_equal(dn_proc_pid("/proc/12x/stat"), 0);
	assert_int_equal(dn_proc_pid("/proc/99999999999/stat"), 0);
	assert_int_equal(dn_proc_pid("/proc/net/12"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(id_map),	 cmocka_unit_test(regular_files),
		cmocka_unit_test(deleted_files), cmocka_unit_test(pipes),
		cmocka_unit_test(timers),	 cmocka_unit_test(locks),
		cmocka_unit_test(changed_files), cmocka_unit_test(refusals),
		cmocka_unit_test(semaphores),	 cmocka_unit_test(pipes_from_outside),
		cmocka_unit_test(many_of_one),
	};

	return cmocka_run_group_tests_name("files", tests, make_folder, remove_folder);
}
