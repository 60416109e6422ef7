/* SPDX-License-Identifier: BSD-3-Clause */
/* capture.c - the life of a checkpoint
 *
 *	hold     every thread of the tree stops
 *	attach   each process gets the loop that serves remote calls
 *	state    maps, descriptors, attributes are asked for and written
 *	pages    memory is copied out
 *	release  everything dunlin brought is taken away, the program goes on
 *	commit   the image is synced and gets its name
 *
 * With kill, commit comes before release, and release is the end of the program.  Whatever fails, the
 * program is released and the image abandoned.
 */
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>

#include "base/log.h"
#include "base/proc.h"
#include "base/util.h"
#include "capture/tree.h"
#include "memory/memory.h"
#include "resource/context.h"
#include "resource/message.h"
#include "tracee/control.h"
#include "tracee/guard.h"

#define THREADS_PER_RECORD 256
#define ATTEMPTS 50
#define ATTEMPT_PAUSE_NS 20000000

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static uint64_t xgetbv0(void)
{
	uint32_t lo, hi;

	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return (uint64_t)hi << 32 | lo;
}

static void command_of(pid_t pid, char *buf, size_t size)
{
	_cleanup_text_ struct dn_text t = {};

	if (dn_read_text(&t, NULL, "/proc/%d/cmdline", pid) < 0)
		return;
	size_t n = DN_MIN(t.len, size - 1);
	for (size_t i = 0; i < n; i++)
		buf[i] = (unsigned char)t.data[i] < ' ' ? ' ' : t.data[i];
	while (n > 0 && buf[n - 1] == ' ')
		n--;
	buf[n] = '\0';
}

static int write_info(struct dn_capture *c, struct dn_error *err)
{
	Dn__ImageInfo info = DN__IMAGE_INFO__INIT;
	struct utsname uts;
	char command[512] = "", boot_id[64] = "";
	unsigned char hash[16];
	_cleanup_text_ struct dn_text t = {};

	if (uname(&uts) < 0)
		return dn_error_set(err, -errno, "cannot tell what machine this is");
	if (dn_read_text(&t, NULL, "/proc/sys/kernel/random/boot_id") == 0)
		snprintf(boot_id, sizeof(boot_id), "%.36s", t.data);
	command_of(c->processes[0]->pid, command, sizeof(command));
	info.dunlin_version = DN_VERSION;
	info.architecture = uts.machine;
	info.kernel = uts.release;
	info.hostname = uts.nodename;
	info.created_ns = clock_ns(CLOCK_REALTIME);
	info.monotonic_ns = clock_ns(CLOCK_MONOTONIC);
	info.boottime_ns = clock_ns(CLOCK_BOOTTIME);
	info.boot_id = boot_id;
	info.page_size = DN_PAGE_SIZE;
	info.xfeatures = xgetbv0();
	info.xsave_size = c->processes[0]->threads[0]->xsave_size;
	uint32_t features[DN_ARCH_FEATURE_WORDS];
	dn_arch_features(features);
	info.cpu_features = features;
	info.n_cpu_features = DN_ARCH_FEATURE_WORDS;
	int r = dn_vdso_hash(hash, err);
	if (r < 0)
		return r;
	if (r > 0)
		info.vdso_hash = (ProtobufCBinaryData){ sizeof(hash), hash };
	info.root_pid = (uint32_t)c->processes[0]->pid;
	info.command = command;
	for (size_t i = 0; i < c->process_count; i++)
		info.threads += (uint32_t)c->processes[i]->thread_count;
	info.processes = (uint32_t)c->process_count;
	return dn_image_write_message(c->writer, DN_RECORD_INFO, &info.base, err);
}

/* Does this leader of a group or session live, outside the tree? */
static bool lives_outside(struct dn_capture *c, pid_t leader, bool session)
{
	struct dn_stat st;

	if (leader == 0)
		return true; /* of another pid namespace */
	if (dn_capture_process(c, leader))
		return false;
	if (dn_stat_read(leader, 0, &st, NULL) < 0)
		return false;
	return session ? st.sid == leader : st.pgrp == leader;
}

/* The process group in the foreground of the root's terminal, if it is one of the tree. */
static uint32_t foreground_group(struct dn_capture *c, pid_t group)
{
	if (group <= 0 || lives_outside(c, group, false))
		return 0;
	for (size_t i = 0; i < c->process_count; i++) {
		struct dn_stat st;
		if (dn_stat_read(c->processes[i]->pid, 0, &st, NULL) == 0 && st.pgrp == group)
			return (uint32_t)group;
	}
	return 0;
}

static int capture_zombie(pid_t pid, const struct dn_stat *st, Dn__Process *m, struct dn_error *err)
{
	_cleanup_text_ struct dn_text t = {};
	int r = dn_read_text(&t, err, "/proc/%d/status", pid);

	if (r < 0)
		return r;
	m->exit_code = (uint32_t)st->exit_code;
	m->comm = strdup(st->comm);
	if (!m->comm)
		return dn_error_set(err, -ENOMEM, "cannot describe process %d", pid);
	return dn_zombie_capture(pid, &t, m, err);
}

static int capture_frame(struct dn_capture *c, struct dn_process *p, Dn__Process *m, struct dn_error *err)
{
	struct dn_stat st;
	int r = dn_stat_read(p->pid, 0, &st, err);

	if (r < 0)
		return r;
	m->pid = (uint32_t)p->pid;
	m->ppid = (uint32_t)p->ppid;
	m->parent_thread = p->parent_thread == p->ppid ? 0 : (uint32_t)p->parent_thread;
	m->pgid = (uint32_t)st.pgrp;
	m->sid = (uint32_t)st.sid;
	m->pgid_outside = lives_outside(c, st.pgrp, false);
	m->sid_outside = lives_outside(c, st.sid, true);
	m->exit_signal = (uint32_t)st.exit_signal;
	if (!p->parent)
		m->foreground = foreground_group(c, st.tpgid);
	m->state = p->zombie	    ? DN__PROCESS__STATE__ZOMBIE
		   : p->stop_signal ? DN__PROCESS__STATE__STOPPED
				    : DN__PROCESS__STATE__RUNNING;
	m->stop_signal = (uint32_t)p->stop_signal;
	return p->zombie ? capture_zombie(p->pid, &st, m, err) : 0;
}

/* What is being written about one process. */
struct subject {
	Dn__Process *process;
	Dn__Thread **threads; /* one per thread, none for a zombie */
};

static void free_subjects(struct dn_capture *c, struct subject *subjects)
{
	for (size_t i = 0; i < c->process_count; i++) {
		for (size_t j = 0; subjects[i].threads && j < c->processes[i]->thread_count; j++)
			if (subjects[i].threads[j])
				dn__thread__free_unpacked(subjects[i].threads[j], NULL);
		free(subjects[i].threads);
		if (subjects[i].process)
			dn__process__free_unpacked(subjects[i].process, NULL);
	}
	free(subjects);
}

/* What shows of a thread while it is stopped. */
static int look_at_thread(struct dn_capture *c, struct dn_thread *t, Dn__Thread **ret, struct dn_error *err)
{
	Dn__Thread *m = malloc(sizeof(*m));

	if (!m)
		return dn_error_set(err, -ENOMEM, "cannot describe thread %d", t->tid);
	dn__thread__init(m);
	*ret = m;
	m->tid = (uint32_t)t->tid;
	m->signal_mask = t->sigmask;
	m->remaining_ns = t->remaining_ns;
	struct user_regs_struct regs;
	dn_thread_image_regs(t, &regs);
	if (dn_message_bytes(&m->registers, &regs, sizeof(regs)) < 0 ||
	    dn_message_bytes(&m->xsave, t->xsave, t->xsave_size) < 0)
		return dn_error_set(err, -ENOMEM, "cannot describe thread %d", t->tid);
	return dn_task_look(c, t, DN_SCOPE_THREAD, NULL, m, err);
}

static int look_at_process(struct dn_capture *c, struct dn_process *p, struct subject *s, struct dn_error *err)
{
	s->process = malloc(sizeof(*s->process));
	s->threads = calloc(p->thread_count + 1, sizeof(*s->threads));
	if (s->process)
		dn__process__init(s->process);
	if (!s->process || !s->threads)
		return dn_error_set(err, -ENOMEM, "cannot describe process %d", p->pid);
	int r = capture_frame(c, p, s->process, err);
	if (r < 0 || p->zombie)
		return r;
	r = dn_task_look(c, p->threads[0], DN_SCOPE_PROCESS, s->process, NULL, err);
	for (size_t i = 0; i < p->thread_count && r == 0; i++)
		r = look_at_thread(c, p->threads[i], &s->threads[i], err);
	return r;
}

static int write_threads(struct dn_capture *c, struct dn_process *p, struct subject *s, struct dn_error *err)
{
	int r = dn_task_capture_threads(c, p, s->process, s->threads, err);

	for (size_t first = 0; first < p->thread_count && r == 0; first += THREADS_PER_RECORD) {
		Dn__Threads m = DN__THREADS__INIT;
		m.pid = (uint32_t)p->pid;
		m.threads = s->threads + first;
		m.n_threads = DN_MIN(p->thread_count - first, (size_t)THREADS_PER_RECORD);
		r = dn_image_write_message(c->writer, DN_RECORD_THREADS, &m.base, err);
	}
	return r;
}

/* wait() tells a parent of a stop once: has it been told? */
static int capture_stop(struct dn_process *p, Dn__Process *m, struct dn_error *err)
{
	struct dn_batch b;
	void *local;

	if (!p->stop_signal || !p->parent)
		return 0;
	dn_batch_begin(&b, p->parent->threads[0]->remote);
	uint64_t info = dn_batch_alloc(&b, sizeof(siginfo_t), &local);
	dn_batch_call(&b, "look for a stopped child", SYS_waitid, P_PID, (uint64_t)p->pid, info,
		      WSTOPPED | WNOHANG | WNOWAIT);
	int r = dn_batch_run(&b, err);
	if (r == 0)
		/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): all were looked at before */
		m->stop_unreported = ((siginfo_t *)local)->si_pid == p->pid;
	return r;
}

static int write_process(struct dn_capture *c, struct dn_process *p, struct subject *s, struct dn_error *err)
{
	int r = dn_capture_cancelled(c, err);

	if (r == 0 && !p->zombie) {
		r = dn_task_capture(c, p, s->process, err);
		if (r == 0)
			r = capture_stop(p, s->process, err);
		if (r == 0)
			r = dn_memory_capture_maps(c, p, err);
		if (r == 0)
			r = dn_memory_fill_mm(c, p, s->process, err);
		if (r == 0)
			r = dn_files_capture(c, p, s->process, err);
	}
	if (r == 0)
		r = dn_image_write_message(c->writer, DN_RECORD_PROCESS, &s->process->base, err);
	if (r == 0 && !p->zombie)
		r = write_threads(c, p, s, err);
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): all were looked at before */
	c->options->stats->descriptors += (uint32_t)s->process->n_fds;
	c->options->stats->threads += (uint32_t)p->thread_count;
	return r;
}

static int attach_all(struct dn_capture *c, struct dn_error *err)
{
	_cleanup_free_ struct dn_process **living = calloc(c->process_count, sizeof(*living));
	size_t n = 0;

	if (!living)
		return dn_error_set(err, -ENOMEM, "cannot attach to %zu processes", c->process_count);
	for (size_t i = 0; i < c->process_count; i++)
		if (!c->processes[i]->zombie)
			living[n++] = c->processes[i];
	return dn_processes_attach(living, n, err);
}

static int capture_state(struct dn_capture *c, struct dn_error *err)
{
	struct subject *subjects = calloc(c->process_count, sizeof(*subjects));
	int r = subjects ? 0 : dn_error_set(err, -ENOMEM, "cannot describe %zu processes", c->process_count);

	if (r < 0)
		return r;
	for (size_t i = 0; i < c->process_count && r == 0; i++)
		r = look_at_process(c, c->processes[i], &subjects[i], err);
	if (r == 0)
		r = attach_all(c, err);
	if (r == 0)
		r = write_info(c, err);
	for (size_t i = 0; i < c->process_count && r == 0; i++)
		r = write_process(c, c->processes[i], &subjects[i], err);
	free_subjects(c, subjects);
	if (r == 0)
		r = dn_memory_look_at_objects(c, err);
	if (r == 0)
		r = dn_files_capture_end(c, err);
	if (r == 0)
		r = dn_memory_plan(c, err);
	for (size_t i = 0; i < c->process_count && r == 0; i++)
		if (!c->processes[i]->zombie)
			r = dn_memory_write_maps(c, c->processes[i], err);
	return r;
}

static int release_all(struct dn_capture *c, struct dn_error *err)
{
	int r = dn_processes_release(c->processes, c->process_count, err);
	return r == -ESRCH ? 0 : r; /* ended by somebody else meanwhile */
}

/* The room that processes with many descriptors and mappings need. */
static void raise_limits(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur < l.rlim_max) {
		l.rlim_cur = l.rlim_max;
		setrlimit(RLIMIT_NOFILE, &l);
	}
}

static int finish(struct dn_capture *c, uint64_t held_at, struct dn_stats *stats, struct dn_error *err)
{
	uint64_t t0 = dn_now_ns();
	int r;

	if (c->options->kill) {
		struct dn_guard guard = DN_GUARD_INIT;
		r = dn_guard_start(&guard, c->processes, c->process_count, err);
		if (r == 0)
			r = dn_image_commit(c->writer, err);
		stats->commit_ns = dn_now_ns() - t0;
		if (r == 0)
			r = dn_tree_kill(c, &guard, err);
		dn_guard_end(&guard);
		stats->frozen_ns = dn_now_ns() - held_at;
		return r;
	}
	r = release_all(c, err);
	t0 = dn_now_ns();
	stats->frozen_ns = t0 - held_at;
	if (r == 0)
		r = dn_image_commit(c->writer, err);
	stats->commit_ns = dn_now_ns() - t0;
	return r;
}

static int run(struct dn_capture *c, pid_t pid, const char *image, struct dn_stats *stats, struct dn_error *err)
{
	uint64_t start = dn_now_ns();
	/* The image first: a path that cannot be written is found out before the program is touched. */
	int r = dn_image_writer_new(image, &c->writer, err);
	if (r < 0)
		return r;
	dn_image_writer_cancel(c->writer, c->options->cancel);
	uint64_t held_at = dn_now_ns();
	r = dn_tree_hold(c, pid, err);
	uint64_t t1 = dn_now_ns();
	stats->hold_ns = t1 - held_at;
	if (r == 0)
		r = capture_state(c, err);
	uint64_t t2 = dn_now_ns();
	stats->state_ns = t2 - t1;
	if (r == 0)
		r = dn_memory_write_pages(c, err);
	stats->pages_ns = dn_now_ns() - t2;
	if (r == 0)
		r = dn_capture_cancelled(c, err);
	if (r == 0)
		r = finish(c, held_at, stats, err);
	stats->processes = (uint32_t)c->process_count;
	stats->bytes = dn_image_writer_bytes(c->writer);
	stats->total_ns = dn_now_ns() - start;
	return r;
}

static int attempt(pid_t pid, const char *image, const struct dn_checkpoint_options *options, struct dn_error *err)
{
	struct dn_capture c = { .options = options };

	int r = run(&c, pid, image, options->stats, err);
	/* Whatever happened, nothing of ours stays behind. */
	release_all(&c, NULL);
	dn_task_capture_finish(&c);
	dn_memory_capture_finish(&c);
	dn_files_capture_finish(&c);
	dn_image_writer_free(c.writer);
	for (size_t i = 0; i < c.process_count; i++)
		dn_process_free(c.processes[i]);
	free(c.processes);
	return r;
}

int dn_checkpoint(pid_t pid, const char *image, const struct dn_checkpoint_options *given, struct dn_error *err)
{
	struct dn_checkpoint_options options = DN_CHECKPOINT_OPTIONS_INIT;
	struct dn_stats stats = {};

	if (given)
		memcpy(&options, given, DN_MIN(given->size, sizeof(options)));
	if (!options.stats)
		options.stats = &stats;
	raise_limits();
	int r = attempt(pid, image, &options, err);
	/* Something was on its way that arrives as soon as the program runs.  A pipe has the beginning already. */
	for (int tries = 1; r == -EAGAIN && tries < ATTEMPTS && strcmp(image, "-") != 0; tries++) {
		dn_debug("%s; trying again", err ? err->text : "not now");
		nanosleep(&(struct timespec){ .tv_nsec = ATTEMPT_PAUSE_NS }, NULL);
		*options.stats = (struct dn_stats){};
		r = attempt(pid, image, &options, err);
	}
	return r;
}
