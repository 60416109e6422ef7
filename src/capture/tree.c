/* SPDX-License-Identifier: BSD-3-Clause */
/* tree.c - finding and holding a process tree
 *
 * From the root down: a held process has no more children than it has, so holding a parent before listing
 * its children misses none, but for those that a dying process in between hands up to one that is held
 * already.  Hence: once all are held, look again, until nothing new shows up.
 */
#include "capture/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "base/log.h"
#include "base/proc.h"
#include "base/util.h"
#include "resource/resource.h"
#include "tracee/control.h"

#define ENDING_TRIES 2000
#define GONE_MS 10000u
#define SAY_AFTER_MS 1000u

struct dn_process *dn_capture_process(struct dn_capture *c, pid_t pid)
{
	for (size_t i = 0; i < c->process_count; i++)
		if (c->processes[i]->pid == pid)
			return c->processes[i];
	return NULL;
}

int dn_capture_cancelled(const struct dn_capture *c, struct dn_error *err)
{
	if (c->options->cancel && *c->options->cancel)
		return dn_error_say(err, -EINTR, "interrupted: nothing was written, the program runs on");
	return 0;
}

/* ---- what shows from outside ---- */

static const char *const namespaces[] = { "pid", "mnt", "user", "net", "ipc", "uts", "time", "cgroup" };

/* The inodes of a process's namespaces; 0 where this kernel has none. */
static int read_namespaces(pid_t pid, ino_t *ret, struct dn_error *err)
{
	for (size_t i = 0; i < DN_ARRAY_LEN(namespaces); i++) {
		char path[64];
		struct stat st = {};
		snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, namespaces[i]);
		if (stat(path, &st) < 0 && (errno == EACCES || errno == EPERM))
			return dn_error_say(
				err, -EPERM,
				"no permission to look into process %d: it is another user's, or protects itself; "
				"run dunlin as root",
				pid);
		if (stat(path, &st) < 0 && errno != ENOENT)
			return dn_error_set(err, -errno, "cannot look at the %s namespace of process %d", namespaces[i],
					    pid);
		ret[i] = st.st_ino;
	}
	return 0;
}

/* Those that unshare() chose for children yet to come.  A pid namespace without a process has no inode. */
static int check_children_namespaces(pid_t pid, const ino_t *own, struct dn_error *err)
{
	static const struct {
		const char *name;
		size_t of; /* in namespaces[] */
	} kinds[] = { { "pid_for_children", 0 }, { "time_for_children", 6 } };

	for (size_t i = 0; i < DN_ARRAY_LEN(kinds); i++) {
		char path[64];
		struct stat st = {};
		snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, kinds[i].name);
		if (stat(path, &st) < 0 && errno != ENOENT)
			return dn_error_set(err, -errno, "cannot look at the namespaces of process %d", pid);
		if (own[kinds[i].of] && st.st_ino != own[kinds[i].of])
			return dn_error_refuse(err,
					       "children of process %d would be born in another %s namespace than its "
					       "own (unshare), which cannot be captured",
					       pid, namespaces[kinds[i].of]);
	}
	return 0;
}

/* Waits for one that is ending (it has no memory any more) to have ended; refuses threads of the kernel. */
static int await_end(pid_t pid, struct dn_text *status, struct dn_error *err)
{
	struct dn_stat st;
	int r = 0;

	for (int tries = 0; r == 0 && tries < ENDING_TRIES; tries++) {
		r = dn_stat_read(pid, 0, &st, err);
		if (r == 0 && (st.flags & DN_PF_KTHREAD))
			return dn_error_refuse(err, "process %d is a thread of the kernel", pid);
		if (r == 0 && (st.state == 'Z' || st.state == 'X'))
			return dn_read_text(status, err, "/proc/%d/status", pid);
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	return r < 0 ? r : dn_error_say(err, -EBUSY, "process %d is ending, but does not end; try again", pid);
}

static int check_status(struct dn_process *p, struct dn_error *err)
{
	_cleanup_text_ struct dn_text t = {};
	int r = dn_read_text(&t, err, "/proc/%d/status", p->pid);

	if (r == 0 && !dn_text_field(&t, "VmSize"))
		r = await_end(p->pid, &t, err);
	if (r < 0)
		return r;
	const char *state = dn_text_field(&t, "State"), *seccomp = dn_text_field(&t, "Seccomp"),
		   *tracer = dn_text_field(&t, "TracerPid"), *features = dn_text_field(&t, "x86_Thread_features");
	p->state = state ? *state : '?';
	p->zombie = p->state == 'Z' || p->state == 'X';
	const char *threads = dn_text_field(&t, "Threads");
	if (p->zombie && threads && atoi(threads) > 1)
		return dn_error_refuse(err, "the first thread of process %d has ended while others go on", p->pid);
	if (p->zombie)
		return 0;
	if (tracer && atoi(tracer) > 0)
		return dn_error_refuse(
			err,
			"process %d is being traced by process %d (a debugger, strace, or another dunlin): "
			"end that first",
			p->pid, atoi(tracer));
	if (seccomp && atoi(seccomp) != 0)
		return dn_error_refuse(err, "process %d has seccomp %s, which cannot be captured yet", p->pid,
				       atoi(seccomp) == 1 ? "strict mode" : "filters");
	/* Words to the end of the line; "shstk" is one of them. */
	if (features && strcspn(features, "\n") >= 5 && memmem(features, strcspn(features, "\n"), "shstk", 5))
		return dn_error_refuse(err, "process %d has a shadow stack, which cannot be captured yet", p->pid);
	return 0;
}

/* One that has no namespaces (any more) has begun to end since its status was read, and is waited for. */
static int check_namespaces(struct dn_process *p, bool is_root, struct dn_error *err)
{
	static __thread ino_t own[DN_ARRAY_LEN(namespaces)]; /* asked for once in a capture */
	ino_t its[DN_ARRAY_LEN(namespaces)] = {};

	int r = is_root ? read_namespaces(getpid(), own, err) : 0;
	if (r == 0)
		r = read_namespaces(p->pid, its, err);
	for (size_t i = 0; r == 0 && i < DN_ARRAY_LEN(namespaces); i++) {
		if (own[i] && !its[i])
			return check_status(p, err);
		if (own[i] != its[i])
			return dn_error_refuse(
				err,
				"process %d lives in another %s namespace than dunlin: run dunlin inside "
				"it (nsenter --target %d --all dunlin checkpoint ...)",
				p->pid, namespaces[i], p->pid);
	}
	return r < 0 ? r : check_children_namespaces(p->pid, its, err);
}

/* Things that threads share but separate processes hardly ever do.  (CLONE_SIGHAND needs CLONE_VM.) */
static const struct {
	int type;
	const char *what;
} shareable[] = {
	{ KCMP_VM, "its memory (CLONE_VM)" },
	{ KCMP_FILES, "its descriptors (CLONE_FILES)" },
	{ KCMP_FS, "its working directory (CLONE_FS)" },
};

static int refuse_sharing(pid_t pid, pid_t other, const char *what, struct dn_error *err)
{
	return dn_error_refuse(err, "process %d shares %s with process %d, which cannot be captured", pid, what, other);
}

/* With its parent, before more of the tree is looked at: of who shares its memory there is one only.  The parent of
 * the root may be anybody, and not for us to look at. */
static int check_sharing_with_parent(struct dn_process *p, struct dn_error *err)
{
	struct dn_stat st;
	pid_t parent = p->ppid;

	if (!parent && dn_stat_read(p->pid, 0, &st, NULL) == 0)
		parent = st.ppid;
	for (size_t i = 0; parent && i < DN_ARRAY_LEN(shareable); i++)
		if (syscall(SYS_kcmp, p->pid, parent, shareable[i].type, 0, 0) == 0)
			return refuse_sharing(p->pid, parent, shareable[i].what, err);
	return 0;
}

static int by_kernel_order(const void *a, const void *b, void *type)
{
	const struct dn_process *const *x = a, *const *y = b;
	/* 0: the same, 1: less, 2: greater (kcmp(2)) */
	long r = *x == *y ? 0 : syscall(SYS_kcmp, (*x)->pid, (*y)->pid, *(const int *)type, 0, 0);

	return r == 1 ? -1 : r == 2;
}

/* With anybody else in the tree (CLONE_PARENT; orphans of who shared). */
static int check_sharing(struct dn_capture *c, struct dn_error *err)
{
	_cleanup_free_ struct dn_process **sorted = calloc(c->process_count, sizeof(*sorted));
	size_t n = 0;

	if (!sorted)
		return dn_error_set(err, -ENOMEM, "cannot compare %zu processes", c->process_count);
	for (size_t i = 0; i < c->process_count; i++)
		if (!c->processes[i]->zombie)
			sorted[n++] = c->processes[i];
	for (size_t i = 0; i < DN_ARRAY_LEN(shareable); i++) {
		int type = shareable[i].type;
		qsort_r(sorted, n, sizeof(*sorted), by_kernel_order, &type);
		for (size_t k = 1; k < n; k++)
			if (by_kernel_order(&sorted[k - 1], &sorted[k], &type) == 0)
				return refuse_sharing(sorted[k - 1]->pid, sorted[k]->pid, shareable[i].what, err);
	}
	return 0;
}

/* ---- holding ---- */

/* A process that was found: checked, and its threads asked to stop. */
static int meet(struct dn_capture *c, pid_t pid, struct dn_process *parent, pid_t parent_thread, struct dn_error *err)
{
	struct dn_process *p;

	int r = dn_process_new(pid, &p, err);
	if (r < 0)
		return parent && (r == -ESRCH || r == -EINVAL) ? 0 : r; /* a child that ended meanwhile */
	p->parent = parent;
	p->parent_thread = parent_thread;
	p->ppid = parent ? parent->pid : 0;
	r = check_status(p, err);
	if (r == 0 && !p->zombie) {
		r = check_namespaces(p, !parent, err);
		/* Who is ending has none any more. */
		if (r < 0 && parent && check_status(p, NULL) == 0 && p->zombie)
			r = 0;
	}
	if (r == 0 && dn_grow(&c->processes, &c->process_cap, c->process_count, sizeof(p)) < 0)
		r = dn_error_set(err, -ENOMEM, "cannot follow process %d", pid);
	if (r < 0) {
		bool gone = parent && kill(pid, 0) < 0 && errno == ESRCH;
		dn_process_free(p);
		return gone ? 0 : r;
	}
	c->processes[c->process_count++] = p;
	if (p->zombie)
		return 0;
	dn_process_look(p, NULL);
	dn_process_begin_hold(p, NULL); /* what fails here fails again, and is told, in hold_one() */
	return 0;
}

static void forget(struct dn_capture *c, size_t i)
{
	dn_process_free(c->processes[i]);
	memmove(&c->processes[i], &c->processes[i + 1], (c->process_count - i - 1) * sizeof(*c->processes));
	c->process_count--;
}

/* All threads of process i stop.  1; 0: it is gone, and forgotten. */
static int hold_one(struct dn_capture *c, size_t i, struct dn_error *err)
{
	struct dn_process *p = c->processes[i];

	if (p->zombie || p->held)
		return 1;
	int r = dn_process_hold(p, c->options->hold_timeout_ms, err);
	if (r < 0 && p->parent) { /* it may have ended meanwhile: then it is a zombie, or gone */
		struct dn_error none = {};
		if (check_status(p, &none) < 0 && kill(p->pid, 0) < 0 && errno == ESRCH) {
			forget(c, i);
			return 0;
		}
		if (p->zombie) {
			p->thread_count = 0;
			return 1;
		}
	}
	if (r == 0)
		r = check_sharing_with_parent(p, err);
	p->held = r == 0;
	return r < 0 ? r : 1;
}

/* Children of one thread; *ret_new counts those that were not known. */
static int meet_children_of(struct dn_capture *c, struct dn_process *p, pid_t tid, size_t *ret_new,
			    struct dn_error *err)
{
	_cleanup_text_ struct dn_text t = {};
	int r = dn_read_text(&t, err, "/proc/%d/task/%d/children", p->pid, tid);

	if (r < 0)
		return r;
	for (char *at = t.data, *end; *at; at = end) {
		pid_t child = (pid_t)strtol(at, &end, 10);
		if (end == at)
			break;
		if (child <= 0 || child == getpid())
			return dn_error_say(err, -EINVAL,
					    "dunlin itself runs below process %d: start it from elsewhere", p->pid);
		if (dn_capture_process(c, child))
			continue;
		r = dn_capture_cancelled(c, err);
		if (r < 0)
			return r;
		size_t before = c->process_count;
		r = meet(c, child, p, tid, err);
		*ret_new += c->process_count - before;
		if (r < 0)
			return r;
	}
	return 0;
}

static int one_pass(struct dn_capture *c, size_t *ret_new, struct dn_error *err)
{
	*ret_new = 0;
	for (size_t i = 0; i < c->process_count; i++) {
		int held = hold_one(c, i, err);
		if (held < 0)
			return held;
		if (held == 0) {
			i--;
			continue;
		}
		struct dn_process *p = c->processes[i];
		for (size_t j = 0; j < p->thread_count; j++) {
			int r = meet_children_of(c, p, p->threads[j]->tid, ret_new, err);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

/* Parents before children, each subtree in one piece. */
static void preorder(struct dn_capture *c, struct dn_process *p, struct dn_process **out, size_t *n)
{
	out[(*n)++] = p;
	for (size_t i = 0; i < c->process_count; i++)
		if (c->processes[i]->parent == p)
			preorder(c, c->processes[i], out, n);
}

static bool below(pid_t root)
{
	for (pid_t pid = getpid(); pid > 1;) {
		struct dn_stat st;
		if (pid == root)
			return true;
		if (dn_stat_read(pid, 0, &st, NULL) < 0)
			return false;
		pid = st.ppid;
	}
	return false;
}

int dn_tree_hold(struct dn_capture *c, pid_t root, struct dn_error *err)
{
	if (root <= 0)
		return dn_error_say(err, -EINVAL, "%d is no process id", root);
	if (root == 1)
		return dn_error_refuse(err, "process 1 is the init of this machine");
	if (below(root))
		return dn_error_refuse(err, "dunlin itself runs below process %d: start it from elsewhere", root);
	int r = meet(c, root, NULL, 0, err);
	if (r == 0 && c->processes[0]->zombie)
		r = dn_error_say(err, -ESRCH, "process %d has ended already (a zombie that waits for its parent)",
				 root);
	size_t fresh = 1;
	while (r == 0 && fresh > 0)
		r = one_pass(c, &fresh, err);
	if (r == 0)
		r = check_sharing(c, err);
	if (r < 0)
		return r;
	struct dn_process **sorted = calloc(c->process_count, sizeof(*sorted));
	if (!sorted)
		return dn_error_set(err, -ENOMEM, "cannot sort %zu processes", c->process_count);
	size_t n = 0;
	preorder(c, c->processes[0], sorted, &n);
	free(c->processes);
	c->processes = sorted;
	c->process_cap = c->process_count;
	return 0;
}

/* ---- ending ---- */

static bool still_there(const struct dn_process *p)
{
	return kill(p->pid, 0) == 0 || errno != ESRCH;
}

int dn_tree_kill(struct dn_capture *c, struct dn_guard *guard, struct dn_error *err)
{
	int r = 0;

	dn_guard_arm(guard, NULL); /* without it, should that fail: the image is complete */
	dn_files_before_kill(c);
	for (size_t i = 0; i < c->process_count; i++)
		if (!c->processes[i]->zombie &&
		    syscall(SYS_pidfd_send_signal, c->processes[i]->pidfd, SIGKILL, NULL, 0) < 0 && errno != ESRCH &&
		    r == 0)
			r = dn_error_set(err, -errno, "cannot end process %d", c->processes[i]->pid);
	dn_guard_end(guard);
	if (r < 0)
		return r;
	for (size_t i = 0; i < c->process_count; i++) {
		struct dn_process *p = c->processes[i];
		/* Threads first: the leader can only be waited for when they are gone. */
		for (size_t j = p->thread_count; j-- > 0;) {
			int status;
			while (waitpid(p->threads[j]->tid, &status, __WALL) > 0 && WIFSTOPPED(status))
				;
			p->threads[j]->held = false;
		}
	}
	uint64_t start = dn_now_ns();
	bool said = false;
	for (size_t i = 0; i < c->process_count; i++) {
		while (still_there(c->processes[i])) {
			uint64_t ms = (dn_now_ns() - start) / 1000000;
			if (ms > SAY_AFTER_MS && !said) {
				dn_info("waiting for the parent of process %d to take note of its end",
					c->processes[i]->pid);
				said = true;
			}
			if (ms > GONE_MS) {
				dn_warn("process %d has ended, but its parent has not taken note of it: its id stays "
					"in use "
					"until it does",
					c->processes[i]->pid);
				return 0;
			}
			nanosleep(&(struct timespec){ .tv_nsec = 500000 }, NULL);
		}
	}
	return 0;
}
