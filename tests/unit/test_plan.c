/* SPDX-License-Identifier: BSD-3-Clause */
/* test_plan.c - who shares which pages with whom after fork, in a family of three generations */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/util.h"
#include "memory/scan.h"
#include "memory/space.h"

#define PAGES 32u
#define AREA ((char *)0x200000000000)

enum { PARENT, CHILD, GRANDCHILD, COUNT };

/* What the three write: pids go to the test, who looks when all are at rest. */
static void fill(size_t from, size_t to, int who)
{
	for (size_t i = from; i < to; i++)
		memset(AREA + i * DN_PAGE_SIZE, (int)(i + 1) * 4 + who, DN_PAGE_SIZE);
}

static void __attribute__((noreturn)) rest(int out)
{
	pid_t pid = getpid();

	if (write(out, &pid, sizeof(pid)) != sizeof(pid))
		_exit(1);
	for (;;)
		pause();
}

static void grandchild(int out)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	madvise(AREA, 2 * DN_PAGE_SIZE, MADV_DONTNEED);
	fill(12, 13, GRANDCHILD);
	rest(out);
}

static void wait_for(int in, pid_t *pid)
{
	if (read(in, pid, sizeof(*pid)) != sizeof(*pid))
		_exit(1);
}

static void child(int out)
{
	pid_t pid;
	int fds[2];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fill(4, 8, CHILD);
	if (pipe(fds) < 0)
		_exit(1);
	if (fork() == 0)
		grandchild(fds[1]);
	wait_for(fds[0], &pid);
	fill(8, 10, CHILD);
	if (write(out, &pid, sizeof(pid)) != sizeof(pid))
		_exit(1);
	rest(out);
}

static void parent(int out)
{
	pid_t pids[2];
	int fds[2];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (mmap(AREA, PAGES * DN_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
		 -1, 0) != AREA)
		_exit(1);
	fill(0, 16, PARENT);
	if (pipe(fds) < 0)
		_exit(1);
	if (fork() == 0)
		child(fds[1]);
	wait_for(fds[0], &pids[1]);
	wait_for(fds[0], &pids[0]);
	fill(2, 3, PARENT);
	if (write(out, pids, sizeof(pids)) != sizeof(pids))
		_exit(1);
	rest(out);
}

struct tree {
	struct dn_process process[COUNT];
	struct dn_map map[COUNT];
	struct dn_space space[COUNT], *spaces[COUNT];
	struct dn_memory memory;
	struct dn_capture c;
};

static int setup(void **state)
{
	struct tree *t = calloc(1, sizeof(*t));
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	if (fork() == 0)
		parent(fds[1]);
	close(fds[1]);
	/* child, grandchild, then the parent itself */
	static const int order[COUNT] = { CHILD, GRANDCHILD, PARENT };
	for (size_t i = 0; i < COUNT; i++)
		assert_int_equal(read(fds[0], &t->process[order[i]].pid, sizeof(pid_t)), sizeof(pid_t));
	close(fds[0]);
	for (size_t i = 0; i < COUNT; i++) {
		t->process[i].mem_fd = -1;
		t->process[i].parent = i ? &t->process[i - 1] : NULL;
		t->map[i] = (struct dn_map){
			.start = (uint64_t)AREA,
			.end = (uint64_t)AREA + PAGES * DN_PAGE_SIZE,
			.kind = DN__VMA__KIND__ANON,
			.prot = PROT_READ | PROT_WRITE,
			.resident = true,
		};
		t->space[i] =
			(struct dn_space){ .process = &t->process[i], .index = i, .maps = &t->map[i], .count = 1 };
		t->spaces[i] = &t->space[i];
	}
	t->memory = (struct dn_memory){ .spaces = t->spaces, .count = COUNT };
	t->memory.frames = dn_scan_frames(&t->memory.zero_frame);
	t->c.memory = &t->memory;
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct tree *t = *state;

	for (size_t i = 0; i < COUNT; i++) {
		dn_runs_finish(&t->space[i].runs);
		dn_runs_finish(&t->space[i].absent);
		if (t->process[i].mem_fd >= 0)
			close(t->process[i].mem_fd);
	}
	kill(t->process[PARENT].pid, SIGKILL);
	waitpid(t->process[PARENT].pid, NULL, 0);
	free(t);
	return 0;
}

/* The class of every page as a letter. */
static void draw(const struct tree *t, size_t i, char text[PAGES + 1])
{
	const struct dn_runs *lists[] = { &t->space[i].runs, &t->space[i].absent };

	memset(text, '.', PAGES);
	text[PAGES] = '\0';
	for (size_t l = 0; l < 2; l++) {
		for (size_t k = 0; k < lists[l]->count; k++) {
			struct dn_run run;
			unsigned int class = dn_runs_get(lists[l], k, &run);
			char letter = l ? 'a' : class & DN_RUN_COMMON ? 'c' : 'o';
			if (class & DN_RUN_EXACT)
				letter = (char)toupper(letter);
			assert_true(run.addr >= (uint64_t)AREA);
			size_t first = (run.addr - (uint64_t)AREA) / DN_PAGE_SIZE;
			assert_true(first + run.pages <= PAGES);
			for (size_t n = 0; n < run.pages; n++) {
				assert_int_equal(text[first + n], '.');
				text[first + n] = letter;
			}
		}
	}
}

static void check(struct tree *t, const char *expected[COUNT])
{
	struct dn_error err = {};
	char text[PAGES + 1];

	assert_int_equal(dn_memory_plan(&t->c, &err), 0);
	for (size_t i = 0; i < COUNT; i++) {
		draw(t, i, text);
		assert_string_equal(text, expected[i]);
	}
}

/* 2: the parent changed it when it had children; 4-7: the child before it had one; 8, 9: the child after
 * that, so that the grandchild shares them with the parent. */
static const char *expected[COUNT] = {
	"ccocoooocccccccc................",
	"..c.ccccOO......................",
	"aa..........O...................",
};

static void by_frames(void **state)
{
	struct tree *t = *state;

	if (!t->memory.frames)
		skip(); /* page frames are hidden */
	check(t, expected);
	assert_int_equal(t->memory.shared_pages, 9 + 13);
	assert_int_equal(t->map[CHILD].inherit_end, t->map[CHILD].end);
}

/* As without the right to see frames. */
static void by_content(void **state)
{
	struct tree *t = *state;

	t->memory.frames = false;
	check(t, expected);
}

/* The child's mapping is longer: what is behind the parent's end is its own. */
static void grown(void **state)
{
	static const char *own[COUNT] = {
		"ccocoooocc......................",
		"..c.ccccOOccoccc................",
		"aa..........o...................",
	};
	struct tree *t = *state;

	if (!t->memory.frames)
		skip();
	t->map[PARENT].end = (uint64_t)AREA + 10 * DN_PAGE_SIZE;
	check(t, own);
	assert_int_equal(t->map[CHILD].inherit_end, t->map[PARENT].end);
	assert_int_equal(t->map[GRANDCHILD].inherit_end, t->map[GRANDCHILD].end);
}

/* A mapping that fork does not copy: nothing can be inherited below it. */
static void not_forked(void **state)
{
	static const char *own[COUNT] = {
		"................................",
		"ooccccccooccoccc................",
		"........oo..o...................",
	};
	struct tree *t = *state;

	if (!t->memory.frames)
		skip();
	t->map[PARENT].flags = DN_VMA_DONTFORK;
	struct dn_error err = {};
	char text[PAGES + 1];
	assert_int_equal(dn_memory_plan(&t->c, &err), 0);
	assert_false(t->space[PARENT].planned); /* found while writing */
	for (size_t i = 1; i < COUNT; i++) {
		draw(t, i, text);
		assert_string_equal(text, own[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(by_frames, setup, teardown),
		cmocka_unit_test_setup_teardown(by_content, setup, teardown),
		cmocka_unit_test_setup_teardown(grown, setup, teardown),
		cmocka_unit_test_setup_teardown(not_forked, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
