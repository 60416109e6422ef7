/* SPDX-License-Identifier: BSD-3-Clause */
/* validate_files.c - is what an image says of files, pipes, objects and descriptors possible? */
#include <errno.h>
#include <limits.h>
#include <sys/stat.h>

#include "base/util.h"
#include "image/contents.h"

#define BAD(...) dn_error_say(err, -EBADMSG, __VA_ARGS__)

#define DRIVER_NAME_MAX 64u
#define NAME_TEXT_MAX 4096u
#define PIPE_CAPACITY_MAX (1u << 31)
#define HANDLE_MAX 128u /* MAX_HANDLE_SZ */

/* The kernel names files by absolute paths without "." and ".." in them. */
static bool path_is_plain(const char *path)
{
	if (path[0] != '/' || strlen(path) >= PATH_MAX)
		return false;
	for (const char *p = path; p; p = strchr(p + 1, '/')) {
		size_t n = strcspn(p + 1, "/");
		if ((n == 1 && p[1] == '.') || (n == 2 && p[1] == '.' && p[2] == '.'))
			return false;
	}
	return true;
}

static int check_path(const struct dn_image *image, uint32_t id, const Dn__PathFile *p, struct dn_error *err)
{
	if (!path_is_plain(p->path))
		return BAD("file %u has the path '%.200s', which is not a plain absolute one", id, p->path);
	if (p->object && !dn_image_object(image, p->object))
		return BAD("file %u is object %u, which the image does not have", id, p->object);
	if (p->removed && (p->object || !S_ISDIR(p->mode)))
		return BAD("file %u was removed, and is no folder", id);
	if (p->size > INT64_MAX || p->handle.len > HANDLE_MAX)
		return BAD("file %u has %lu bytes and a handle of %zu", id, p->size, p->handle.len);
	return 0;
}

static bool has_thread(const struct dn_image *image, uint32_t tid)
{
	for (size_t i = 0; i < image->process_count; i++) {
		const struct dn_image_process *p = &image->processes[i];
		if (p->process->pid == tid)
			return true;
		for (size_t k = 0; k < p->thread_count; k++)
			if (p->threads[k]->tid == tid)
				return true;
	}
	return false;
}

static int check_unix(const struct dn_image *image, uint32_t id, const Dn__UnixFile *m, struct dn_error *err)
{
	const uint32_t others[] = { m->peer, m->listener, m->waits_at };

	for (size_t i = 0; i < DN_ARRAY_LEN(others); i++)
		if (others[i] && !dn_image_file(image, others[i]))
			return BAD("file %u is connected with file %u, which the image does not have", id, others[i]);
	for (size_t i = 0; i < m->n_packets; i++)
		for (size_t k = 0; k < m->packets[i]->n_files; k++)
			if (!dn_image_file(image, m->packets[i]->files[k]))
				return BAD("file %u is on its way in file %u, and the image does not have it",
					   m->packets[i]->files[k], id);
	if (*m->path && !path_is_plain(m->path))
		return BAD("file %u is bound to '%.200s', which is not a plain absolute path", id, m->path);
	return 0;
}

static int check_lock(const struct dn_image *image, const char *whose, uint32_t id, const Dn__FileLock *l,
		      struct dn_error *err)
{
	if (l->kind < DN__FILE_LOCK__KIND__POSIX || l->kind > DN__FILE_LOCK__KIND__OFD || l->start > l->end)
		return BAD("%s %u has a lock of kind %d from %lu to %lu", whose, id, l->kind, l->start, l->end);
	if (l->file && !dn_image_file(image, l->file))
		return BAD("%s %u has a lock on file %u, which the image does not have", whose, id, l->file);
	return 0;
}

static int check_file(const struct dn_image *image, const Dn__File *f, struct dn_error *err)
{
	if (!*f->driver || strlen(f->driver) > DRIVER_NAME_MAX)
		return BAD("file %u has no driver, or one with a long name", f->id);
	if (f->owner_type < 0 || f->owner_type > 2 || f->signal < 0 || f->signal > 64)
		return BAD("file %u sends signal %d to an owner of type %d", f->id, f->signal, f->owner_type);
	if (f->path) {
		int r = check_path(image, f->id, f->path, err);
		if (r < 0)
			return r;
	}
	if (f->mem && !dn_image_object(image, f->mem->object))
		return BAD("file %u is object %u, which the image does not have", f->id, f->mem->object);
	if (f->pipe && !dn_image_pipe(image, f->pipe->pipe))
		return BAD("file %u is of pipe %u, which the image does not have", f->id, f->pipe->pipe);
	if (f->pipe && *f->pipe->path && !path_is_plain(f->pipe->path))
		return BAD("file %u is a FIFO at '%.200s', which is not a plain absolute path", f->id, f->pipe->path);
	if (f->outside && (f->outside->standard > 2 || strlen(f->outside->name) > NAME_TEXT_MAX))
		return BAD("file %u is joined to descriptor %u", f->id, f->outside->standard);
	if (f->proc && f->proc->pid && !dn_contents_process(image, f->proc->pid))
		return BAD("file %u is of process %u, which the image does not have", f->id, f->proc->pid);
	if (f->pidfd && f->pidfd->pid && !has_thread(image, f->pidfd->pid))
		return BAD("file %u is a pidfd of %u, which the image does not have", f->id, f->pidfd->pid);
	if (f->pty && f->pty->master && !dn_image_file(image, f->pty->master))
		return BAD("file %u is the slave of file %u, which the image does not have", f->id, f->pty->master);
	if (f->inet && f->inet->peer && !dn_image_file(image, f->inet->peer))
		return BAD("file %u is connected with file %u, which the image does not have", f->id, f->inet->peer);
	if (f->unix_socket) {
		int r = check_unix(image, f->id, f->unix_socket, err);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; f->epoll && i < f->epoll->n_watches; i++) {
		const Dn__EpollWatch *w = f->epoll->watches[i];
		if (w->number >= DN_FD_MAX || !dn_image_file(image, w->file))
			return BAD("file %u watches file %u, which the image does not have, as descriptor %u", f->id,
				   w->file, w->number);
	}
	for (size_t i = 0; i < f->n_locks; i++) {
		int r = check_lock(image, "file", f->id, f->locks[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int check_pipe(const Dn__Pipe *p, struct dn_error *err)
{
	uint64_t bytes = 0;

	if (p->capacity == 0 || p->capacity > PIPE_CAPACITY_MAX)
		return BAD("pipe %u has room for %u bytes", p->id, p->capacity);
	if (!p->packet_mode && p->n_packets > 1)
		return BAD("pipe %u has %zu packets, but no packet mode", p->id, p->n_packets);
	if (p->tail_bytes && p->n_packets < 2)
		return BAD("pipe %u has bytes behind packets, but no packets", p->id);
	for (size_t i = 0; i < p->n_packets; i++)
		bytes += p->packets[i].len;
	if (bytes > p->capacity || p->n_packets > p->capacity / DN_PAGE_SIZE + 1)
		return BAD("pipe %u has %lu bytes in %zu packets, but room for %u", p->id, bytes, p->n_packets,
			   p->capacity);
	return 0;
}

static int check_object(const Dn__Object *o, struct dn_error *err)
{
	if (o->kind < DN__OBJECT__KIND__GHOST || o->kind > DN__OBJECT__KIND__SHARED)
		return BAD("object %u is of the kind %d", o->id, o->kind);
	if (o->size > (uint64_t)INT64_MAX - DN_PAGE_SIZE)
		return BAD("object %u has %lu bytes", o->id, o->size);
	if (o->huge_shift && (o->huge_shift < 12 || o->huge_shift > 40))
		return BAD("object %u has pages of 2^%u bytes", o->id, o->huge_shift);
	if (strlen(o->name) > NAME_TEXT_MAX)
		return BAD("object %u has a name of %zu bytes", o->id, strlen(o->name));
	return 0;
}

/* ---- of processes ---- */

static int compare_fds(const void *a, const void *b)
{
	uint32_t x = (*(Dn__Fd *const *)a)->number, y = (*(Dn__Fd *const *)b)->number;

	return x < y ? -1 : x > y;
}

static int check_descriptors(const struct dn_image *image, const Dn__Process *p, struct dn_error *err)
{
	_cleanup_free_ Dn__Fd **sorted = calloc(p->n_fds + 1, sizeof(*sorted));

	if (!sorted)
		return dn_error_set(err, -ENOMEM, "no memory to check %zu descriptors", p->n_fds);
	if (p->n_fds)
		memcpy(sorted, p->fds, p->n_fds * sizeof(*sorted));
	qsort(sorted, p->n_fds, sizeof(*sorted), compare_fds);
	for (size_t i = 0; i < p->n_fds; i++) {
		const Dn__Fd *fd = sorted[i];
		if (fd->number >= DN_FD_MAX)
			return BAD("process %u has a descriptor %u", p->pid, fd->number);
		if (i > 0 && sorted[i - 1]->number == fd->number)
			return BAD("process %u has the descriptor %u twice", p->pid, fd->number);
		if (!dn_image_file(image, fd->file))
			return BAD("descriptor %u of process %u is file %u, which the image does not have", fd->number,
				   p->pid, fd->file);
	}
	return 0;
}

static int check_process_files(const struct dn_image *image, const Dn__Process *p, struct dn_error *err)
{
	bool zombie = p->state == DN__PROCESS__STATE__ZOMBIE;
	const struct {
		const char *name;
		uint32_t file;
	} links[] = {
		{ "working folder", p->cwd_file },
		{ "root folder", p->root_file },
		{ "executable", p->mm ? p->mm->exe_file : 0 },
	};

	if (zombie && p->n_fds)
		return BAD("process %u is a zombie with descriptors", p->pid);
	for (size_t i = 0; i < DN_ARRAY_LEN(links); i++)
		if (zombie ? links[i].file != 0 : !dn_image_file(image, links[i].file))
			return BAD("the %s of process %u is file %u, which the image does not have", links[i].name,
				   p->pid, links[i].file);
	for (size_t i = 0; i < p->n_locks; i++) {
		int r = check_lock(image, "process", p->pid, p->locks[i], err);
		if (r < 0)
			return r;
	}
	return check_descriptors(image, p, err);
}

int dn_validate_files(const struct dn_image *image, struct dn_error *err)
{
	int r = 0;

	for (size_t i = 0; i < image->object_count && r >= 0; i++)
		r = check_object(image->objects[i], err);
	for (size_t i = 0; i < image->pipe_count && r >= 0; i++)
		r = check_pipe(image->pipes[i], err);
	for (size_t i = 0; i < image->file_count && r >= 0; i++)
		r = check_file(image, image->files[i], err);
	for (size_t i = 0; i < image->process_count && r >= 0; i++)
		r = check_process_files(image, image->processes[i].process, err);
	return r;
}
