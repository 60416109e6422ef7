/* SPDX-License-Identifier: BSD-3-Clause */
/* test_tracee.c - holding a program, remote calls, and what happens when dunlin dies in between */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#include "base/proc.h"
#include "base/util.h"
#include "tracee/arena.h"
#include "tracee/control.h"

#define THREADS 5

/* What a child under test and the test share. */
struct shared {
	atomic_int ready, go, result;
	atomic_ulong rounds;
};

static struct shared *shared;

static void *nap(void *arg)
{
	(void)arg;
	atomic_fetch_add(&shared->ready, 1);
	while (!atomic_load(&shared->go)) {
		struct timespec a, b, ts = { .tv_nsec = 20000000 };
		clock_gettime(CLOCK_MONOTONIC, &a);
		if (nanosleep(&ts, NULL) != 0)
			atomic_store(&shared->result, errno);
		clock_gettime(CLOCK_MONOTONIC, &b);
		if ((b.tv_sec - a.tv_sec) * 1000000000L + b.tv_nsec - a.tv_nsec < ts.tv_nsec)
			atomic_store(&shared->result, 1000);
		atomic_fetch_add(&shared->rounds, 1);
	}
	return NULL;
}

static pid_t start_child(int threads)
{
	memset(shared, 0, sizeof(*shared));
	pid_t pid = fork();
	if (pid == 0) {
		pthread_t t[THREADS];
		for (int i = 1; i < threads; i++)
			pthread_create(&t[i], NULL, nap, NULL);
		nap(NULL);
		for (int i = 1; i < threads; i++)
			pthread_join(t[i], NULL);
		_exit(atomic_load(&shared->result) ? 1 : 0);
	}
	while (atomic_load(&shared->ready) < threads)
		usleep(1000);
	return pid;
}

static void end_child(pid_t pid)
{
	int status;

	atomic_store(&shared->go, 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(atomic_load(&shared->result), 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static struct dn_process *hold(pid_t pid)
{
	struct dn_process *p;
	struct dn_error err = {};

	assert_int_equal(dn_process_new(pid, &p, &err), 0);
	assert_int_equal(dn_process_look(p, &err), 0);
	if (dn_process_hold(p, 5000, &err) < 0 || dn_processes_attach(&p, 1, &err) < 0)
		fail_msg("%s", err.text);
	return p;
}

static void let_go(struct dn_process *p)
{
	struct dn_error err = {};

	if (dn_processes_release(&p, 1, &err) < 0)
		fail_msg("%s", err.text);
	dn_process_free(p);
}

static bool leftovers(pid_t pid)
{
	_cleanup_text_ struct dn_text maps = {}, status = {};

	assert_int_equal(dn_read_text(&maps, NULL, "/proc/%d/maps", pid), 0);
	assert_int_equal(dn_read_text(&status, NULL, "/proc/%d/status", pid), 0);
	return strstr(maps.data, DN_ARENA_NAME) || atoi(dn_text_field(&status, "TracerPid")) != 0;
}

static void every_thread_serves(void **state)
{
	(void)state;
	pid_t pid = start_child(THREADS);
	struct dn_process *p = hold(pid);
	struct dn_error err = {};

	assert_int_equal(p->thread_count, THREADS);
	assert_int_equal(p->threads[0]->tid, pid);
	for (size_t i = 0; i < p->thread_count; i++) {
		struct dn_batch b;
		void *local;
		dn_batch_begin(&b, p->threads[i]->remote);
		uint64_t at = dn_batch_alloc(&b, sizeof(struct timespec), &local);
		size_t tid = dn_batch_call(&b, "ask for its id", SYS_gettid);
		dn_batch_call(&b, "ask for the time", SYS_clock_gettime, CLOCK_MONOTONIC, at);
		assert_int_equal(dn_batch_run(&b, &err), 0);
		assert_int_equal(dn_batch_result(&b, tid), p->threads[i]->tid);
		assert_true(((struct timespec *)local)->tv_sec > 0);
	}
	let_go(p);
	assert_false(leftovers(pid));
	unsigned long before = atomic_load(&shared->rounds);
	while (atomic_load(&shared->rounds) < before + THREADS)
		usleep(1000);
	end_child(pid);
}

static void failing_call_is_named(void **state)
{
	(void)state;
	pid_t pid = start_child(1);
	struct dn_process *p = hold(pid);
	struct dn_error err = {};
	struct dn_batch b;

	dn_batch_begin(&b, p->threads[0]->remote);
	size_t tried = dn_batch_try(&b, "close nothing", SYS_close, 1000000);
	dn_batch_call(&b, "shut the door", SYS_close, 1000000);
	size_t never = dn_batch_call(&b, "not reached", SYS_getpid);
	assert_int_equal(dn_batch_run(&b, &err), -EBADF);
	assert_non_null(strstr(err.text, "shut the door"));
	assert_int_equal(dn_batch_result(&b, tried), -EBADF);
	assert_int_equal(dn_batch_result(&b, never), -ECANCELED);
	let_go(p);
	end_child(pid);
}

static void slot_does_not_overflow(void **state)
{
	(void)state;
	pid_t pid = start_child(2);
	struct dn_process *p = hold(pid);
	struct dn_error err = {};

	for (size_t i = 0; i < 2; i++) {
		struct dn_batch b;
		void *local;
		size_t most = i == 0 ? DN_LEADER_SLOT_CALLS : DN_THREAD_SLOT_CALLS;
		dn_batch_begin(&b, p->threads[i]->remote);
		assert_int_not_equal(dn_batch_alloc(&b, i == 0 ? DN_LEADER_SLOT_DATA : DN_THREAD_SLOT_DATA, &local), 0);
		for (size_t j = 0; j < most; j++)
			dn_batch_call(&b, "ask for its id", SYS_getpid);
		assert_int_equal(dn_batch_room(&b), 0);
		assert_int_equal(dn_batch_run(&b, &err), 0);
		assert_int_equal(dn_batch_result(&b, most - 1), pid);
		dn_batch_call(&b, "one too many", SYS_getpid);
		assert_int_equal(dn_batch_run(&b, &err), -E2BIG);
		dn_batch_begin(&b, p->threads[i]->remote);
		assert_int_equal(dn_batch_alloc(&b, 1 << 20, &local), 0);
		assert_null(local);
	}
	let_go(p);
	end_child(pid);
}

static void memory_without_access(void **state)
{
	(void)state;
	char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char text[16] = "";
	strcpy(page, "behind closed");
	mprotect(page, 4096, PROT_NONE);
	pid_t pid = start_child(1);
	struct dn_process *p = hold(pid);
	struct dn_error err = {};

	assert_int_equal(dn_process_read(p, (uint64_t)page, text, sizeof(text), &err), 0);
	assert_string_equal(text, "behind closed");
	assert_true(dn_process_read(p, 4096, text, sizeof(text), &err) < 0);
	let_go(p);
	end_child(pid);
	munmap(page, 4096);
}

/* The stages at which the holder is killed. */
enum stage { HELD, ATTACHED, RELEASED_HALF };

static void die_in_the_middle(pid_t pid, enum stage when)
{
	pid_t holder = fork();
	if (holder == 0) {
		struct dn_process *p;
		if (dn_process_new(pid, &p, NULL) < 0 || dn_process_look(p, NULL) < 0 ||
		    dn_process_hold(p, 5000, NULL) < 0)
			_exit(1);
		if (when != HELD && dn_processes_attach(&p, 1, NULL) < 0)
			_exit(2);
		if (when == RELEASED_HALF && dn_remote_stop(p->threads[0]->remote, NULL) < 0)
			_exit(3);
		raise(SIGKILL);
	}
	int status;
	assert_int_equal(waitpid(holder, &status, 0), holder);
	assert_true(WIFSIGNALED(status));
}

static void goes_on_when_dunlin_dies(void **state)
{
	(void)state;
	for (int threads = 1; threads <= THREADS; threads += THREADS - 1) {
		pid_t pid = start_child(threads);
		for (int i = 0; i < 10; i++)
			for (enum stage s = HELD; s <= RELEASED_HALF; s++) {
				die_in_the_middle(pid, s);
				unsigned long before = atomic_load(&shared->rounds);
				while (atomic_load(&shared->rounds) < before + 2)
					usleep(1000);
			}
		struct dn_process *p = hold(pid); /* the next one clears what they left */
		let_go(p);
		assert_false(leftovers(pid));
		end_child(pid);
	}
}

static void gone_process(void **state)
{
	(void)state;
	struct dn_process *p;
	struct dn_error err = {};

	assert_true(dn_process_new(4194304, &p, &err) < 0);
	assert_non_null(strstr(err.text, "there is no process 4194304"));
}

/* Those that the kernel would not tell of dunlin's death are not touched. */
static void too_many_processes(void **state)
{
	static struct dn_process *none[DN_ARENAS_MAX + 1];
	struct dn_error err = {};

	assert_int_equal(dn_processes_attach(none, DN_ARENAS_MAX + 1, &err), -ENOTSUP);
	assert_int_equal(err.outcome, DN_OUTCOME_REFUSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_thread_serves),	    cmocka_unit_test(failing_call_is_named),
		cmocka_unit_test(slot_does_not_overflow),   cmocka_unit_test(memory_without_access),
		cmocka_unit_test(goes_on_when_dunlin_dies), cmocka_unit_test(gone_process),
		cmocka_unit_test(too_many_processes),
	};

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
