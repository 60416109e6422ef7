/* SPDX-License-Identifier: BSD-3-Clause */
/* folders.c - working directory, root directory and executable
 *
 * The three are files of the image like others.  dunlin opens them; seeds inherit the descriptors and
 * go there by number, so no path is looked up twice.  The executable is put in place together with the
 * addresses of the program (memory), because both are one call.
 */
#include <errno.h>
#include <linux/kcmp.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/util.h"
#include "resource/message.h"
#include "resource/tasks.h"

static int folders_take(struct dn_capture *c, struct dn_thread *t, const struct dn_batch *b, size_t first, void *local,
			Dn__Process *process, Dn__Thread *thread, struct dn_error *err)
{
	if (!process->mm)
		process->mm = dn_message_new(&dn__mm__descriptor);
	if (!process->mm)
		return dn_task_no_memory(t, err);
	int r = dn_files_capture_link(c, t->process, "cwd", &process->cwd_file, err);
	if (r == 0)
		r = dn_files_capture_link(c, t->process, "root", &process->root_file, err);
	if (r == 0)
		r = dn_files_capture_link(c, t->process, "exe", &process->mm->exe_file, err);
	return r;
}

/* The namespaces that a thread can have for itself alone, having no directories of its own. */
static const char *const namespaces[DN_TASK_NAMESPACES] = { "net", "ipc", "uts", "cgroup", "pid_for_children" };

/* A pid namespace without a process has no name. */
static int read_namespace(pid_t pid, pid_t tid, const char *kind, char ret[DN_TASK_NAMESPACE_NAME],
			  struct dn_error *err)
{
	char path[80];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/ns/%s", pid, tid, kind);
	ssize_t n = readlink(path, ret, DN_TASK_NAMESPACE_NAME - 1);
	if (n < 0 && errno != ENOENT)
		return dn_error_set(err, -errno, "cannot look at %s", path);
	ret[n < 0 ? 0 : n] = '\0';
	return 0;
}

static int check_namespaces(struct dn_capture *c, struct dn_thread *t, struct dn_error *err)
{
	pid_t pid = t->process->pid;
	bool leader = t->tid == pid;
	int r = dn_task_memo(&c->tasks, err);

	for (size_t i = 0; i < DN_TASK_NAMESPACES && r == 0; i++) {
		char its[DN_TASK_NAMESPACE_NAME], *leaders = c->tasks->namespaces[i];
		r = read_namespace(pid, t->tid, namespaces[i], leader ? leaders : its, err);
		if (r == 0 && !leader && strcmp(its, leaders) != 0)
			return dn_error_refuse(
				err,
				"thread %d of process %d has a namespace of its own (%s), which cannot be captured",
				t->tid, pid, namespaces[i]);
	}
	return r;
}

/* unshare() gives a thread of its own what the others share. */
static int unshared_look(struct dn_capture *c, struct dn_thread *t, Dn__Process *process, Dn__Thread *thread,
			 struct dn_error *err)
{
	static const struct {
		int type;
		const char *what;
	} kinds[] = {
		{ KCMP_FS, "a working directory and umask of its own (unshare(CLONE_FS))" },
		{ KCMP_FILES, "descriptors of its own (unshare(CLONE_FILES))" },
	};
	pid_t pid = t->process->pid;

	for (size_t i = 0; i < DN_ARRAY_LEN(kinds) && t->tid != pid; i++) {
		long differs = syscall(SYS_kcmp, pid, t->tid, kinds[i].type, 0, 0);
		if (differs < 0)
			return dn_error_set(err, -errno, "cannot compare thread %d with its process %d", t->tid, pid);
		if (differs)
			return dn_error_refuse(err, "thread %d of process %d has %s, which cannot be captured", t->tid,
					       pid, kinds[i].what);
	}
	return t->process->thread_count > 1 ? check_namespaces(c, t, err) : 0;
}

/* Most programs have dunlin's own root; then no privilege is needed. */
static int needs_chroot(int fd, bool *ret, struct dn_error *err)
{
	struct stat theirs, ours;

	if (fstat(fd, &theirs) < 0 || stat("/", &ours) < 0)
		return dn_error_set(err, -errno, "cannot look at the root directory");
	*ret = theirs.st_dev != ours.st_dev || theirs.st_ino != ours.st_ino;
	return 0;
}

static int folders_restore(struct dn_restore *r, struct dn_thread *t, struct dn_batch *b, const Dn__Process *process,
			   const Dn__Thread *thread, struct dn_error *err)
{
	int root = dn_files_descriptor(r, process->root_file);
	int cwd = dn_files_descriptor(r, process->cwd_file);
	bool chroot = false;

	if (root < 0 || cwd < 0)
		return dn_error_say(err, -EINVAL, "the image is damaged: process %d has no root or working directory",
				    t->process->pid);
	int k = needs_chroot(root, &chroot, err);
	if (k < 0)
		return k;
	if (chroot) {
		dn_batch_call(b, "go to the root directory", SYS_fchdir, (uint64_t)root);
		dn_batch_call(b, "change the root directory", SYS_chroot, dn_batch_put(b, ".", sizeof(".")));
	}
	dn_batch_call(b, "go to the working directory", SYS_fchdir, (uint64_t)cwd);
	return 0;
}

const struct dn_task_driver dn_task_folders = {
	.name = "working and root directory",
	.scope = DN_SCOPE_PROCESS,
	.take = folders_take,
	.stage = DN_STAGE_STATE,
	.restore = folders_restore,
};

const struct dn_task_driver dn_task_unshared = {
	.name = "sharing",
	.scope = DN_SCOPE_THREAD,
	.look = unshared_look,
};
