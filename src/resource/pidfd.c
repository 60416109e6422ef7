/* SPDX-License-Identifier: BSD-3-Clause */
/* pidfd.c - driver: pidfds of the processes of the tree, and of processes that are gone
 *
 * Those of processes and threads of the tree are opened again when all exist.  Of a process that is gone, all
 * that is left is that it is gone, and (since Linux 6.15) how it ended: another one that ended like that
 * serves as well.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/kernel.h"
#include "base/util.h"
#include "resource/drivers.h"
#include "resource/fileopen.h"
#include "resource/filetable.h"
#include "resource/message.h"

static bool match(const struct dn_file_probe *probe)
{
	return !strcmp(probe->link, "anon_inode:[pidfd]") && !(probe->flags & O_PATH);
}

static int capture(struct dn_capture *c, const struct dn_file_probe *probe, Dn__File *file, struct dn_error *err)
{
	struct pidfd_info info = { .mask = PIDFD_INFO_EXIT };
	char whose[96];

	const char *field = dn_probe_field(probe, "Pid");
	long pid = field ? strtol(field, NULL, 10) : 0;
	/* 0: it lives where dunlin cannot see it. */
	if (pid == 0 || (pid > 0 && !dn_process_of_thread(c, (pid_t)pid)))
		return dn_error_refuse(err, "%s a pidfd of process %ld, which is not in the tree",
				       dn_probe_whose(probe, whose), pid);
	Dn__PidFile *m = file->pidfd = dn_message_new(&dn__pid_file__descriptor);
	if (!m)
		return dn_error_set(err, -ENOMEM, "cannot list pidfds");
	m->pid = pid > 0 ? (uint32_t)pid : 0;
	if (!m->pid && ioctl(probe->fd, PIDFD_GET_INFO, &info) == 0 && info.mask & PIDFD_INFO_EXIT)
		m->exit_code = (uint32_t)info.exit_code;
	return 0;
}

static int check(struct dn_restore *r, const Dn__File *file, struct dn_error *err)
{
	if (!file->pidfd)
		return dn_error_say(err, -EINVAL, "file %u of the image is no pidfd", file->id);
	if (!(file->flags & PIDFD_THREAD))
		return 0;
	_cleanup_fd_ int fd = (int)syscall(SYS_pidfd_open, getpid(), PIDFD_THREAD);
	return fd < 0 ? dn_error_set(err, -errno, "this kernel has no pidfds of threads (Linux 6.9)") : 0;
}

static bool late(const Dn__File *file)
{
	return file->pidfd && file->pidfd->pid;
}

/* In a child with all of dunlin's memory: nothing but system calls. */
static void __attribute__((noreturn)) end_like(uint32_t code)
{
	int sig = WTERMSIG(code);
	uint64_t mask = 0;

	if (sig) {
		prctl(PR_SET_DUMPABLE, 0);
		signal(sig, SIG_DFL);
		syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof(mask));
		syscall(SYS_kill, syscall(SYS_getpid), sig);
	}
	_exit(WEXITSTATUS(code));
}

/* A process that ends as the other did, and is waited for. */
static int open_gone(const Dn__File *file, struct dn_error *err)
{
	int fd = -1;
	struct clone_args args = { .flags = CLONE_PIDFD, .pidfd = (uint64_t)&fd };

	long pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0)
		end_like(file->pidfd->exit_code);
	if (pid < 0)
		return dn_error_set(err, -errno, "cannot make a process for a pidfd");
	while (waitpid((pid_t)pid, NULL, __WALL) < 0 && errno == EINTR)
		;
	return fd;
}

static int restore(struct dn_restore *r, const Dn__File *file, int *ret_fd, struct dn_error *err)
{
	uint32_t pid = file->pidfd->pid;

	if (!pid) {
		*ret_fd = open_gone(file, err);
		return *ret_fd < 0 ? *ret_fd : 0;
	}
	*ret_fd = (int)syscall(SYS_pidfd_open, pid, file->flags & (PIDFD_THREAD | O_NONBLOCK));
	return *ret_fd < 0 ? dn_error_set(err, -errno, "cannot open a pidfd of process %u", pid) : 0;
}

const struct dn_file_driver dn_driver_pidfd = {
	.name = "pidfd",
	.match = match,
	.capture = capture,
	.check = check,
	.restore = restore,
	.late = late,
};
