/* SPDX-License-Identifier: BSD-3-Clause */
/* restore.c - the life of a restart
 *
 *	check    the image, the files it names, the processor, the process ids; nothing has been started
 *	create   seeds, each in its place in the family, with mappings and the pages shared with children
 *	fill     all other pages, by several threads
 *	finish   threads, attributes, descriptors, identity
 *	release  registers; the arena goes; EXITKILL goes; all are let go
 *
 * On any failure before the release all seeds are killed: nothing of the program has run.
 */
#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "base/log.h"
#include "base/proc.h"
#include "base/util.h"
#include "memory/memory.h"
#include "resource/context.h"
#include "restore/family.h"
#include "restore/seed.h"
#include "restore/terminal.h"
#include "tracee/arena.h"
#include "tracee/control.h"
#include "tracee/guard.h"

#define PIDS_FREE_MS 10000u
#define STOPPED_MS 1000u

/* ---- check ---- */

static int check_processor(struct dn_restore *r, struct dn_error *err)
{
	const Dn__ImageInfo *info = dn_image_info(r->image);
	uint32_t a, b, c, d;
	uint64_t here;

	if (strcmp(info->architecture, "x86_64") != 0)
		return dn_error_say(err, -ENOEXEC, "the image is of a program for %s processors, this one is x86_64",
				    info->architecture);
	char missing[512];
	if (dn_arch_missing(info->cpu_features, info->n_cpu_features, missing, sizeof(missing)))
		return dn_error_say(err, -ENOEXEC,
				    "this processor lacks instructions that the program may use (%s): restart it on a "
				    "processor like that of %s",
				    missing, info->hostname);
	if (info->page_size != DN_PAGE_SIZE)
		return dn_error_say(err, -ENOEXEC, "the image has pages of %u bytes, this machine of %lu",
				    info->page_size, DN_PAGE_SIZE);
	if (!__get_cpuid_count(0xd, 0, &a, &b, &c, &d))
		return 0;
	here = (uint64_t)d << 32 | a;
	/* Dynamically enabled components (AMX) are set in XCR0 but not in every program's state. */
	if (info->xfeatures & ~here)
		return dn_error_say(err, -ENOEXEC,
				    "this processor lacks features that the program's state may hold (XSAVE components "
				    "%#lx, here %#lx): restart it on a processor like that of %s",
				    (unsigned long)info->xfeatures, (unsigned long)here, info->hostname);
	return 0;
}

/* Is the id free?  Waits a little for those that are just ending. */
static int check_id(pid_t id, const char *kind, bool patient, uint64_t until, struct dn_error *err)
{
	for (;;) {
		struct dn_stat st;
		if (kill(id, 0) < 0 && errno == ESRCH)
			return 0;
		if (dn_stat_read(id, 0, &st, NULL) < 0)
			return 0; /* gone in between */
		if (dn_now_ns() > until || (st.state != 'Z' && !patient))
			return dn_error_say(
				err, -EEXIST,
				"%s id %d of the program is taken by another process: %d (%s)%s; end that, or "
				"restart in a pid namespace of its own (unshare --pid --fork --mount-proc)",
				kind, id, id, st.comm,
				st.state == 'Z' ? ", which has ended but was not waited for by its parent" : "");
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
}

static int check_ids(struct dn_restore *r, bool patient, struct dn_error *err)
{
	uint64_t until = dn_now_ns() + PIDS_FREE_MS * 1000000ull;
	size_t n;
	struct dn_image_process *p = dn_image_processes(r->image, &n);
	int k = 0;

	for (size_t i = 0; i < n && k == 0; i++) {
		k = check_id((pid_t)p[i].process->pid, "process", patient, until, err);
		for (size_t j = 1; j < p[i].thread_count && k == 0; j++)
			k = check_id((pid_t)p[i].threads[j]->tid, "thread", patient, until, err);
	}
	return k;
}

/* ---- finish ---- */

typedef int seed_step(struct dn_restore *r, size_t i, const struct dn_image_process *p, struct dn_error *err);

static int for_living(struct dn_restore *r, seed_step *step, struct dn_error *err)
{
	size_t n;
	struct dn_image_process *p = dn_image_processes(r->image, &n);
	int k = 0;

	for (size_t i = 0; i < n && k == 0; i++)
		if (p[i].process->state != DN__PROCESS__STATE__ZOMBIE)
			k = step(r, i, &p[i], err);
	return k;
}

static int attributes(struct dn_restore *r, enum dn_restore_stage stage, enum dn_task_scope scope, struct dn_error *err)
{
	size_t n;
	struct dn_image_process *p = dn_image_processes(r->image, &n);
	int k = 0;

	for (size_t i = 0; i < n && k == 0; i++) {
		if (p[i].process->state == DN__PROCESS__STATE__ZOMBIE)
			continue;
		k = scope == DN_SCOPE_PROCESS
			    ? dn_task_restore(r, r->seeds[i], stage, p[i].process, err)
			    : dn_task_restore_threads(r, r->seeds[i], stage, p[i].process, p[i].threads, err);
	}
	return k;
}

static int stage(struct dn_restore *r, enum dn_restore_stage s, struct dn_error *err)
{
	int k = attributes(r, s, DN_SCOPE_PROCESS, err);
	return k < 0 ? k : attributes(r, s, DN_SCOPE_THREAD, err);
}

static int add_threads(struct dn_restore *r, size_t i, const struct dn_image_process *p, struct dn_error *err)
{
	return dn_seed_threads(r, r->seeds[i], p, err);
}

static int protect(struct dn_restore *r, size_t i, const struct dn_image_process *p, struct dn_error *err)
{
	return dn_memory_protect(r, i, err);
}

static int seal(struct dn_restore *r, size_t i, const struct dn_image_process *p, struct dn_error *err)
{
	return dn_memory_seal(r, i, err);
}

static int install(struct dn_restore *r, size_t i, const struct dn_image_process *p, struct dn_error *err)
{
	return dn_files_install(r, r->seeds[i], p->process, err);
}

static int request_stop(struct dn_restore *r, size_t i, const struct dn_image_process *p, struct dn_error *err)
{
	return dn_seed_request_stop(r->seeds[i], err);
}

static int begin_unmap(struct dn_restore *r, size_t i, const struct dn_image_process *p, struct dn_error *err)
{
	return dn_seed_begin_unmap(r->seeds[i], err);
}

static int middle_unmap(struct dn_restore *r, size_t i, const struct dn_image_process *p, struct dn_error *err)
{
	return dn_seed_middle_unmap(r->seeds[i], err);
}

static int complete(struct dn_restore *r, size_t i, const struct dn_image_process *p, struct dn_error *err)
{
	return dn_seed_complete(r, r->seeds[i], p, err);
}

static int disarm(struct dn_restore *r, size_t i, const struct dn_image_process *p, struct dn_error *err)
{
	return dn_seed_disarm(r->seeds[i], err);
}

static int release(struct dn_restore *r, size_t i, const struct dn_image_process *p, struct dn_error *err)
{
	return dn_seed_release(r->seeds[i], err);
}

/* Who is to be stopped stops when it gets a processor, which is none of the caller's business. */
static int await_stopped(struct dn_restore *r, size_t i, const struct dn_image_process *p, struct dn_error *err)
{
	struct dn_stat st;

	for (size_t k = 0, tries = 0; p->process->state == DN__PROCESS__STATE__STOPPED && k < p->thread_count; k++)
		for (; tries < STOPPED_MS; tries++) {
			if (dn_stat_read((pid_t)p->process->pid, (pid_t)p->threads[k]->tid, &st, NULL) < 0 ||
			    st.state == 'T')
				break;
			nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
		}
	return 0;
}

static int finish(struct dn_restore *r, struct dn_error *err)
{
	/* Zombies end while their parents still take SIGCHLD by default (who ignores it has no zombies), and before
	 * others stop: the end of the last of a group is SIGHUP to those that are stopped in it. */
	int k = dn_family_bury(r, err);

	if (k == 0)
		k = dn_family_stop(r, err);
	if (k == 0)
		k = dn_objects_seal(r, err); /* what is open for writing cannot become an exe */
	if (k == 0)
		k = for_living(r, protect, err);
	if (k == 0)
		k = for_living(r, add_threads, err);
	if (k == 0)
		k = stage(r, DN_STAGE_STATE, err);
	if (k == 0)
		k = for_living(r, install, err);
	if (k == 0)
		k = for_living(r, seal, err);
	if (k == 0)
		k = stage(r, DN_STAGE_IDENTITY, err);
	if (k == 0)
		k = stage(r, DN_STAGE_LAST, err);
	return k < 0 ? k : dn_files_start(r, err);
}

/* ---- the whole ---- */

static int check(struct dn_restore *r, const char *path, struct dn_error *err)
{
	int k = dn_image_open(path, &r->image, err);

	if (k == 0)
		k = check_processor(r, err);
	if (k == 0)
		k = dn_memory_check(r, err);
	if (k == 0)
		k = dn_files_check(r, err);
	return k < 0 ? k : check_ids(r, strcmp(path, "-") == 0, err);
}

static int create(struct dn_restore *r, struct dn_error *err)
{
	int k = dn_files_open(r, err);

	if (k == 0)
		k = dn_seed_prepare(r, err);
	if (k == 0)
		k = dn_family_create(r, err);
	return k < 0 ? k : stage(r, DN_STAGE_EARLY, err);
}

static int let_go(struct dn_restore *r, struct dn_error *err)
{
	static seed_step *const steps[] = { request_stop, begin_unmap, middle_unmap, complete };
	struct dn_guard guard = DN_GUARD_INIT;
	int k = 0;

	for (size_t i = 0; i < DN_ARRAY_LEN(steps) && k == 0; i++)
		k = for_living(r, steps[i], err);
	if (k == 0)
		k = dn_guard_start(&guard, r->seeds, r->seed_count, err);
	if (k == 0)
		k = dn_guard_arm(&guard, err);
	if (k == 0)
		k = for_living(r, disarm, err);
	/* From here on, whatever happens to dunlin, all of them live. */
	dn_guard_end(&guard);
	if (k == 0)
		k = for_living(r, release, err);
	return k < 0 ? k : for_living(r, await_stopped, err);
}

static int run(struct dn_restore *r, const char *path, struct dn_stats *s, struct dn_error *err)
{
	uint64_t t0 = dn_now_ns();
	int k = check(r, path, err);
	uint64_t t1 = dn_now_ns();

	if (k == 0)
		k = create(r, err);
	uint64_t t2 = dn_now_ns();
	if (k == 0)
		k = dn_memory_fill_rest(r, err);
	uint64_t t3 = dn_now_ns();
	if (k == 0)
		k = finish(r, err);
	if (k == 0) {
		dn_terminal_give(r);
		k = let_go(r, err);
	}
	uint64_t t4 = dn_now_ns();
	s->check_ns = t1 - t0;
	s->create_ns = t2 - t1;
	s->fill_ns = t3 - t2;
	s->finish_ns = t4 - t3;
	s->total_ns = t4 - t0;
	if (k == 0)
		dn_image_count(r->image, s);
	return k;
}

int dn_restart(const char *path, const struct dn_restart_options *given, pid_t *ret_pid, struct dn_error *err)
{
	struct dn_restart_options options = DN_RESTART_OPTIONS_INIT;
	struct dn_stats stats = {};
	struct dn_restore r = { .standard = { -1, -1, -1 } };

	if (given)
		memcpy(&options, given, DN_MIN(given->size, sizeof(options)));
	if (!options.stats)
		options.stats = &stats;
	r.options = &options;
	for (int i = 0; i < 3; i++)
		r.has_standard[i] = fcntl(i, F_GETFD) >= 0;
	int k = run(&r, path, options.stats, err);
	if (k < 0) {
		dn_seeds_kill(r.seeds, r.seed_count);
		dn_terminal_take_back(&r);
	} else {
		*ret_pid = r.seeds[0]->pid;
	}
	dn_task_restore_finish(&r);
	dn_memory_restore_finish(&r);
	dn_files_restore_finish(&r);
	for (size_t i = 0; i < r.seed_count; i++)
		dn_process_free(r.seeds[i]);
	free(r.seeds);
	dn_arena_free(r.arena);
	dn_image_free(r.image);
	return k;
}
