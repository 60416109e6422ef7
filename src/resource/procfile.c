/* SPDX-License-Identifier: BSD-3-Clause */
/* procfile.c - driver: files in /proc
 *
 * An entry of a process of the tree (what /proc/self leads to) belongs to that very process: it is
 * opened again when all processes exist.  All others are files like any other, but their size says
 * nothing.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>

#include "base/util.h"
#include "resource/drivers.h"
#include "resource/fileopen.h"
#include "resource/filetable.h"
#include "resource/message.h"

pid_t dn_proc_pid(const char *path)
{
	if (strncmp(path, "/proc/", 6) || !isdigit((unsigned char)path[6]))
		return 0;
	char *end;
	long pid = strtol(path + 6, &end, 10);
	return (*end == '/' || !*end) && pid > 0 && pid < INT32_MAX ? (pid_t)pid : 0;
}

pid_t dn_process_of_thread(const struct dn_capture *c, pid_t tid)
{
	for (size_t i = 0; i < c->process_count; i++) {
		const struct dn_process *p = c->processes[i];
		if (p->pid == tid)
			return p->pid;
		for (size_t k = 0; k < p->thread_count; k++)
			if (p->threads[k]->tid == tid)
				return p->pid;
	}
	return 0;
}

static bool match(const struct dn_file_probe *probe)
{
	return probe->st.st_dev == probe->proc_dev && !strncmp(probe->link, "/proc", 5);
}

static int capture(struct dn_capture *c, const struct dn_file_probe *probe, Dn__File *file, struct dn_error *err)
{
	_cleanup_free_ char *path = NULL, *was = NULL;
	pid_t tid = dn_proc_pid(probe->link), pid = tid ? dn_process_of_thread(c, tid) : 0;
	char whose[96];

	int r = dn_path_find(probe, &path, &was, err);
	if (r < 0)
		return r;
	if (!path)
		return dn_error_refuse(err, "%s %s, of a process that is gone", dn_probe_whose(probe, whose),
				       probe->link);
	if (!pid)
		return dn_path_capture(c, probe, &file->path, err);
	file->proc = dn_message_new(&dn__proc_file__descriptor);
	if (!file->proc || dn_message_string(&file->proc->path, path) < 0)
		return dn_error_set(err, -ENOMEM, "cannot list open files");
	file->proc->pid = (uint32_t)pid;
	return 0;
}

static int check(struct dn_restore *r, const Dn__File *file, struct dn_error *err)
{
	if (file->proc && !dn_proc_pid(file->proc->path))
		return dn_error_say(err, -EINVAL, "the image says that %s is of process %u", file->proc->path,
				    file->proc->pid);
	if (file->proc)
		return 0;
	if (!file->path || file->path->object || file->path->path[0] != '/')
		return dn_error_say(err, -EINVAL, "file %u of the image has no path", file->id);
	if (access(file->path->path, F_OK) < 0)
		return dn_error_set(err, -errno, "%s, which the program uses, cannot be found", file->path->path);
	return 0;
}

static bool late(const Dn__File *file)
{
	return file->proc != NULL;
}

static int restore(struct dn_restore *r, const Dn__File *file, int *ret_fd, struct dn_error *err)
{
	const char *path = file->proc ? file->proc->path : file->path->path;

	*ret_fd = open(path, (dn_open_flags(file->flags) & ~O_ASYNC) | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	return *ret_fd < 0 ? dn_error_set(err, -errno, "cannot open %s", path) : 0;
}

const struct dn_file_driver dn_driver_proc = {
	.name = "proc",
	.match = match,
	.capture = capture,
	.check = check,
	.restore = restore,
	.late = late,
};
