/* SPDX-License-Identifier: BSD-3-Clause */
/* sandbox.c - Landlock and its like, and adjustments of semaphores: what nobody tells, and shows by comparison
 *
 * Theory of operation.  Of a Landlock domain there is nothing in /proc.  But a task in one may look at no task
 * outside of it (landlock(7)), be it its own user's.  So each thread is made to look at dunlin, by a kcmp()
 * of dunlin with itself.  If it may not, that can have other reasons: dunlin is another user's, or has more
 * capabilities.  Then it has to look at its double: a child of dunlin with the thread's ids and no capabilities.
 *
 * The double also serves to find the adjustments that semop(SEM_UNDO) has made a note of: a process that was just
 * forked has no list of them, and kcmp() tells who has one.  Threads always have, for they share it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/kcmp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/log.h"
#include "base/proc.h"
#include "base/util.h"
#include "resource/message.h"
#include "resource/tasks.h"

#define SEMAPHORES_MAX 65536 /* looked at, at most */

/* ---- the double ---- */

/* Raw system calls only: dunlin may have threads. */
static void __attribute__((noreturn)) be_double(uid_t uid, gid_t gid, pid_t parent, int ready)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = {};

	syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL);
	if (ready > 3)
		syscall(SYS_close_range, 3, ready - 1, 0);
	syscall(SYS_close_range, ready + 1, ~0U, 0);
	bool good = syscall(SYS_setresgid, gid, gid, gid) == 0 && syscall(SYS_setresuid, uid, uid, uid) == 0 &&
		    syscall(SYS_capset, &header, none) == 0 && syscall(SYS_prctl, PR_SET_DUMPABLE, 1) == 0 &&
		    syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL) == 0 && syscall(SYS_getppid) == parent;
	if (!good || syscall(SYS_write, ready, "", 1) != 1)
		syscall(SYS_exit_group, 1);
	for (;;)
		syscall(SYS_pause);
}

void dn_task_end_double(struct dn_task_memo *memo)
{
	if (memo->twin <= 0)
		return;
	kill(memo->twin, SIGKILL);
	waitpid(memo->twin, NULL, 0);
	memo->twin = 0;
}

/* 0: dunlin may not make one, and nothing can be told. */
static int get_double(struct dn_task_memo *memo, uid_t uid, gid_t gid, pid_t *ret, struct dn_error *err)
{
	int ends[2];
	char c;

	if (memo->twin && memo->twin_uid == uid && memo->twin_gid == gid) {
		*ret = memo->twin;
		return 0;
	}
	dn_task_end_double(memo);
	if (pipe2(ends, O_CLOEXEC) < 0)
		return dn_error_set(err, -errno, "cannot create a pipe");
	pid_t self = getpid(), pid = fork();
	if (pid == 0)
		be_double(uid, gid, self, ends[1]);
	int code = -errno;
	close(ends[1]);
	memo->twin = pid;
	memo->twin_uid = uid;
	memo->twin_gid = gid;
	if (pid > 0 && read(ends[0], &c, 1) != 1)
		dn_task_end_double(memo);
	close(ends[0]);
	*ret = memo->twin;
	return pid < 0 ? dn_error_set(err, code, "cannot create a process") : 0;
}

/* ---- Landlock ---- */

static int sandbox_ask(struct dn_thread *t, struct dn_batch *b, struct dn_error *err)
{
	dn_batch_try(b, "look at dunlin", SYS_kcmp, (uint64_t)getpid(), (uint64_t)getpid(), KCMP_VM);
	return 0;
}

static int sandbox_take(struct dn_capture *c, struct dn_thread *t, const struct dn_batch *b, size_t first, void *local,
			Dn__Process *process, Dn__Thread *thread, struct dn_error *err)
{
	c->tasks->sandbox_in_doubt = dn_batch_result(b, first) == -EPERM;
	return 0;
}

const struct dn_task_driver dn_task_sandbox = {
	.name = "sandbox",
	.scope = DN_SCOPE_THREAD,
	.ask = sandbox_ask,
	.take = sandbox_take,
};

static int doubt_take(struct dn_capture *c, struct dn_thread *t, const struct dn_batch *b, size_t first, void *local,
		      Dn__Process *process, Dn__Thread *thread, struct dn_error *err)
{
	const Dn__Credentials *cred = thread->credentials;
	pid_t twin = 0;
	long result = 0;

	if (!c->tasks->sandbox_in_doubt || !cred || cred->n_uids < 1 || cred->n_gids < 1)
		return 0;
	int r = get_double(c->tasks, cred->uids[0], cred->gids[0], &twin, err);
	if (r == 0 && twin)
		r = dn_remote_call(t->remote, "look at its double", &result, err, SYS_kcmp,
				   (const uint64_t[6]){ (uint64_t)twin, (uint64_t)twin, KCMP_VM });
	if (r < 0 || result != -EPERM)
		return r;
	return dn_error_refuse(
		err,
		"thread %d of process %d is in a sandbox (of Landlock or another security module), which "
		"cannot be captured",
		t->tid, t->process->pid);
}

const struct dn_task_driver dn_task_sandbox_doubt = {
	.name = "sandbox in doubt",
	.scope = DN_SCOPE_THREAD,
	.take = doubt_take,
};

/* ---- System V semaphores ---- */

/* Who used the semaphores of this IPC namespace last.  Those that we may not read are not the tree's own. */
static int list_users(struct dn_task_memo *memo, struct dn_error *err)
{
	_cleanup_text_ struct dn_text t = {};
	size_t looked = 0;

	memo->have_sem_users = true;
	if (dn_read_text(&t, NULL, "/proc/sysvipc/sem") < 0) /* a kernel without them */
		return 0;
	for (const char *line = strchr(t.data, '\n'); line && line[1]; line = strchr(line + 1, '\n')) {
		int id, nsems;
		if (sscanf(line, "%*d %d %*o %d", &id, &nsems) != 2)
			continue;
		for (int i = 0; i < nsems && looked < SEMAPHORES_MAX; i++, looked++) {
			int pid = semctl(id, i, GETPID);
			if (pid < 0)
				break;
			pid_t *slot =
				pid ? dn_message_append(&memo->sem_users, &memo->sem_user_count, sizeof(*slot)) : NULL;
			if (pid && !slot)
				return dn_error_set(err, -ENOMEM, "cannot list semaphores");
			if (slot)
				*slot = pid;
		}
	}
	return 0;
}

static int undo_take(struct dn_capture *c, struct dn_thread *t, const struct dn_batch *b, size_t first, void *local,
		     Dn__Process *process, Dn__Thread *thread, struct dn_error *err)
{
	struct dn_task_memo *memo = c->tasks;
	pid_t pid = t->process->pid, twin = 0;
	bool uses = false;
	int r = memo->have_sem_users ? 0 : list_users(memo, err);

	for (size_t i = 0; i < memo->sem_user_count; i++)
		uses |= memo->sem_users[i] == pid;
	if (r < 0 || !uses)
		return r;
	if (t->process->thread_count > 1) {
		dn_warn("process %d uses System V semaphores; what it did to them with SEM_UNDO, if it did, is undone "
			"when it ends, and not after a restart",
			pid);
		return 0;
	}
	r = get_double(memo, getuid(), getgid(), &twin, err);
	if (r < 0 || !twin || syscall(SYS_kcmp, pid, twin, KCMP_SYSVSEM, 0, 0) <= 0)
		return r;
	return dn_error_refuse(
		err, "process %d has changed System V semaphores with SEM_UNDO, which cannot be captured", pid);
}

const struct dn_task_driver dn_task_undo = {
	.name = "semaphore adjustments",
	.scope = DN_SCOPE_PROCESS,
	.take = undo_take,
};
