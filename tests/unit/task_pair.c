/* SPDX-License-Identifier: BSD-3-Clause */
/* task_pair.c - a process whose attributes are captured, and another that gets them */
#include "task_pair.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/util.h"
#include "tracee/arena.h"
#include "tracee/control.h"

#define HOLD_MS 5000

/* ---- the two directories and the executable: all that is needed of the file table ---- */

static int links[64];
static uint32_t link_count;

int dn_files_capture_link(struct dn_capture *c, struct dn_process *p, const char *which, uint32_t *ret_file,
			  struct dn_error *err)
{
	char path[64];
	struct stat a, b;

	(void)c;
	snprintf(path, sizeof(path), "/proc/%d/%s", p->pid, which);
	int fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &a) < 0)
		return dn_error_set(err, -errno, "cannot open %s", path);
	for (uint32_t i = 0; i < link_count; i++) {
		if (fstat(links[i], &b) < 0 || a.st_dev != b.st_dev || a.st_ino != b.st_ino)
			continue;
		close(fd);
		*ret_file = i + 1;
		return 0;
	}
	assert_true(link_count < DN_ARRAY_LEN(links));
	links[link_count++] = fd;
	*ret_file = link_count;
	return 0;
}

int dn_files_descriptor(struct dn_restore *r, uint32_t file_id)
{
	(void)r;
	return file_id >= 1 && file_id <= link_count ? links[file_id - 1] : -ENOENT;
}

/* ---- processes ---- */

struct shared {
	atomic_int ready;
};

static struct shared *shared;
static pid_t running[64]; /* 0: none */
pair_setup *pair_seed_setup;

struct start {
	int thread;
	pair_setup *setup;
};

static void forget_inherited(void)
{
	const stack_t none = { .ss_flags = SS_DISABLE };

	if (__rseq_size)
		syscall(SYS_rseq, (char *)__builtin_thread_pointer() + __rseq_offset, 32, RSEQ_FLAG_UNREGISTER,
			RSEQ_SIG);
	sigaltstack(&none, NULL);
}

static void *run_thread(void *arg)
{
	const struct start *s = arg;

	if (s->setup)
		s->setup(s->thread);
	else
		forget_inherited();
	if (!s->setup && pair_seed_setup)
		pair_seed_setup(s->thread);
	atomic_fetch_add(&shared->ready, 1);
	for (;;)
		syscall(SYS_pause);
	return NULL;
}

void pair_start(struct pair_subject *s, int threads, pair_setup *setup)
{
	if (!shared)
		shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	atomic_store(&shared->ready, 0);
	s->threads = threads;
	s->pid = fork();
	assert_true(s->pid >= 0);
	if (s->pid == 0) {
		static struct start starts[PAIR_THREADS];
		sigset_t all;
		sigfillset(&all);
		sigprocmask(SIG_SETMASK, &all, NULL);
		/* One after the other: stacks and ids in order. */
		for (int i = 1; i < threads; i++) {
			pthread_t t;
			starts[i] = (struct start){ i, setup };
			pthread_create(&t, NULL, run_thread, &starts[i]);
			while (atomic_load(&shared->ready) < i)
				sched_yield();
		}
		starts[0] = (struct start){ 0, setup };
		run_thread(&starts[0]);
	}
	for (size_t i = 0; i < DN_ARRAY_LEN(running); i++) {
		if (running[i])
			continue;
		running[i] = s->pid;
		break;
	}
	for (int i = 0; atomic_load(&shared->ready) < threads && i < 5000; i++)
		usleep(1000);
	assert_int_equal(atomic_load(&shared->ready), threads);
}

void pair_end(struct pair_subject *s)
{
	kill(s->pid, SIGKILL);
	assert_int_equal(waitpid(s->pid, NULL, 0), s->pid);
	for (size_t i = 0; i < DN_ARRAY_LEN(running); i++)
		if (running[i] == s->pid)
			running[i] = 0;
}

void pair_end_all(void)
{
	for (size_t i = 0; i < DN_ARRAY_LEN(running); i++)
		if (running[i])
			kill(running[i], SIGKILL);
}

pid_t pair_tid(const struct pair_subject *s, int thread)
{
	char path[64];

	/* In the order of their birth. */
	snprintf(path, sizeof(path), "/proc/%d/task", s->pid);
	DIR *dir = opendir(path);
	assert_non_null(dir);
	pid_t tid = 0;
	for (struct dirent *e; thread >= 0 && (e = readdir(dir));) {
		tid = atoi(e->d_name);
		thread -= tid > 0;
	}
	closedir(dir);
	assert_int_equal(thread, -1);
	return tid;
}

static struct dn_process *hold(const struct pair_subject *s)
{
	struct dn_process *p;
	struct dn_error err = {};

	if (dn_process_new(s->pid, &p, &err) < 0 || dn_process_look(p, &err) < 0 ||
	    dn_process_hold(p, HOLD_MS, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(p->thread_count, s->threads);
	return p;
}

static void attach(struct dn_process *p)
{
	struct dn_error err = {};

	if (dn_processes_attach(&p, 1, &err) < 0)
		fail_msg("%s", err.text);
}

static void let_go(struct dn_process *p)
{
	struct dn_error err = {};

	if (dn_processes_release(&p, 1, &err) < 0)
		fail_msg("%s", err.text);
	dn_process_free(p);
}

/* ---- there and back ---- */

/* As it comes out of an image. */
static void *through_image(ProtobufCMessage *m)
{
	const ProtobufCMessageDescriptor *d = m->descriptor;
	size_t size = protobuf_c_message_get_packed_size(m);
	uint8_t *packed = malloc(size + 1);

	assert_int_equal(protobuf_c_message_pack(m, packed), size);
	protobuf_c_message_free_unpacked(m, NULL);
	void *fresh = protobuf_c_message_unpack(d, NULL, size, packed);
	assert_non_null(fresh);
	free(packed);
	return fresh;
}

static int look(struct dn_capture *c, struct dn_process *p, struct pair_state *state, struct dn_error *err)
{
	int r;

	*state = (struct pair_state){ .process = malloc(sizeof(Dn__Process)), .thread_count = (int)p->thread_count };
	dn__process__init(state->process);
	r = dn_task_look(c, p->threads[0], DN_SCOPE_PROCESS, state->process, NULL, err);
	for (int i = 0; i < state->thread_count && r == 0; i++) {
		state->threads[i] = malloc(sizeof(Dn__Thread));
		dn__thread__init(state->threads[i]);
		r = dn_task_look(c, p->threads[i], DN_SCOPE_THREAD, NULL, state->threads[i], err);
	}
	return r;
}

int pair_look(const struct pair_subject *s, struct dn_error *err)
{
	struct dn_process *p = hold(s);
	struct dn_capture c = {};
	struct pair_state state;
	int r = look(&c, p, &state, err);

	dn_task_capture_finish(&c);
	pair_free(&state);
	let_go(p);
	return r;
}

void pair_capture(const struct pair_subject *s, struct pair_state *ret)
{
	struct dn_process *p = hold(s);
	struct dn_capture c = {};
	struct dn_error err = {};
	int r = look(&c, p, ret, &err);

	if (r == 0) {
		attach(p);
		r = dn_task_capture(&c, p, ret->process, &err);
	}
	if (r == 0)
		r = dn_task_capture_threads(&c, p, ret->process, ret->threads, &err);
	dn_task_capture_finish(&c);
	let_go(p);
	if (r < 0)
		fail_msg("%s", err.text);
	ret->process = through_image(&ret->process->base);
	for (int i = 0; i < s->threads; i++)
		ret->threads[i] = through_image(&ret->threads[i]->base);
}

int pair_restore(const struct pair_subject *s, const struct pair_state *state, struct dn_error *err)
{
	struct dn_process *p = hold(s);
	const struct dn_restart_options options = DN_RESTART_OPTIONS_INIT;
	struct dn_restore r = { .options = &options, .seeds = &p, .seed_count = 1 };
	int k = 0;

	attach(p);
	for (enum dn_restore_stage stage = 0; stage < DN_STAGE_COUNT && k == 0; stage++) {
		k = dn_task_restore(&r, p, stage, state->process, err);
		if (k == 0)
			k = dn_task_restore_threads(&r, p, stage, state->process, state->threads, err);
	}
	dn_task_restore_finish(&r);
	let_go(p);
	return k;
}

void pair_free(struct pair_state *state)
{
	if (state->process)
		dn__process__free_unpacked(state->process, NULL);
	for (int i = 0; i < state->thread_count; i++)
		if (state->threads[i])
			dn__thread__free_unpacked(state->threads[i], NULL);
	*state = (struct pair_state){};
}

/* ---- comparing ---- */

static void show(FILE *out, const char *path, const ProtobufCMessage *m);

static void show_value(FILE *out, const char *path, const ProtobufCFieldDescriptor *f, const void *at)
{
	const ProtobufCBinaryData *bytes = at;

	/* What is left of a time. */
	if (strcmp(f->name, "value_ns") == 0) {
		fprintf(out, "%s: %s\n", path, *(const uint64_t *)at ? "some" : "none");
		return;
	}
	switch (f->type) {
	case PROTOBUF_C_TYPE_MESSAGE: show(out, path, *(ProtobufCMessage *const *)at); break;
	case PROTOBUF_C_TYPE_STRING: fprintf(out, "%s: \"%s\"\n", path, *(char *const *)at); break;
	case PROTOBUF_C_TYPE_BYTES:
		fprintf(out, "%s:", path);
		for (size_t i = 0; i < bytes->len; i++)
			fprintf(out, " %02x", bytes->data[i]);
		fputc('\n', out);
		break;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_UINT64: fprintf(out, "%s: %#lx\n", path, *(const uint64_t *)at); break;
	default: fprintf(out, "%s: %#x\n", path, *(const uint32_t *)at); break;
	}
}

static size_t size_of(const ProtobufCFieldDescriptor *f)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_BYTES: return sizeof(ProtobufCBinaryData);
	case PROTOBUF_C_TYPE_MESSAGE:
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_UINT64: return 8;
	default: return 4;
	}
}

static void show(FILE *out, const char *path, const ProtobufCMessage *m)
{
	char name[512];

	if (!m)
		return;
	for (unsigned int i = 0; i < m->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
		const char *at = (const char *)m + f->offset;
		bool repeated = f->label == PROTOBUF_C_LABEL_REPEATED;
		size_t n = repeated ? *(const size_t *)((const char *)m + f->quantifier_offset) : 1;
		for (size_t j = 0; j < n; j++) {
			snprintf(name, sizeof(name), repeated ? "%s.%s[%zu]" : "%s.%s", path, f->name, j);
			show_value(out, name, f, repeated ? *(char *const *)at + j * size_of(f) : at);
		}
	}
}

static char *state_text(const struct pair_state *s)
{
	char *text = NULL, path[32];
	size_t size;
	FILE *out = open_memstream(&text, &size);

	show(out, "process", &s->process->base);
	for (int i = 0; i < s->thread_count; i++) {
		snprintf(path, sizeof(path), "thread[%d]", i);
		show(out, path, &s->threads[i]->base);
	}
	fclose(out);
	return text;
}

void pair_assert_equal(const struct pair_state *a, const struct pair_state *b)
{
	_cleanup_free_ char *x = state_text(a), *y = state_text(b);
	char *p = x, *q = y;
	int differences = 0;

	while (*p || *q) {
		size_t n = strcspn(p, "\n"), m = strcspn(q, "\n");
		if (n != m || memcmp(p, q, n) != 0) {
			if (differences++ < 20)
				print_error("was %.*s\nis  %.*s\n", (int)n, p, (int)m, q);
		}
		p += n + (p[n] != 0);
		q += m + (q[m] != 0);
	}
	assert_int_equal(differences, 0);
}

void pair_check(int threads, pair_setup *setup)
{
	struct pair_subject subject, seed;
	struct pair_state before, after;
	struct dn_error err = {};

	pair_start(&subject, threads, setup);
	pair_capture(&subject, &before);
	pair_start(&seed, threads, NULL);
	if (pair_restore(&seed, &before, &err) < 0)
		fail_msg("%s", err.text);
	pair_capture(&seed, &after);
	pair_assert_equal(&before, &after);
	/* Looking changes nothing. */
	pair_free(&after);
	pair_capture(&subject, &after);
	pair_assert_equal(&before, &after);
	pair_free(&before);
	pair_free(&after);
	pair_end(&subject);
	pair_end(&seed);
}
