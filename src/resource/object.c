/* SPDX-License-Identifier: BSD-3-Clause */
/* object.c - content without a path: deleted files, memfds, shared anonymous memory
 *
 * Theory of operation: at capture each inode becomes one Object with a descriptor from which the page
 * pipeline reads it.  At restart the inode is made empty; what processes open and map leads there, and
 * the page pipeline fills it.  dunlin itself keeps it by an O_PATH descriptor: a writable one would
 * forbid to execute it (exe may be a deleted file or a memfd).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/kernel.h"
#include "base/log.h"
#include "base/util.h"
#include "image/quiet.h"
#include "resource/fileopen.h"
#include "resource/filetable.h"
#include "resource/message.h"

#define SEALS_UNKNOWN UINT32_MAX

/* ================= capture ================= */

struct dn_object *dn_objects(struct dn_capture *c, size_t *ret_count)
{
	*ret_count = c->files ? c->files->object_count : 0;
	return c->files ? c->files->objects : NULL;
}

/* The object of an inode; a new one has no name. */
static int object_at(struct dn_capture *c, dev_t dev, ino_t ino, uint32_t *ret_id, struct dn_error *err)
{
	struct dn_file_table *t = c->files;
	uint32_t *value = dn_idmap_at(&t->map, DN_KEY_OBJECT, dev, ino);

	if (!value || dn_grow(&t->objects, &t->object_cap, t->object_count, sizeof(*t->objects)) < 0)
		return dn_error_set(err, -ENOMEM, "cannot list deleted files");
	if (!*value) {
		struct dn_object *o = &t->objects[t->object_count++];
		*o = (struct dn_object){ .message = DN__OBJECT__INIT, .fd = -1, .dev = dev, .ino = ino };
		o->message.id = *value = (uint32_t)t->object_count;
		o->message.name = NULL;
	}
	*ret_id = *value;
	return 0;
}

static int64_t nanoseconds(struct timespec ts)
{
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int dn_object_capture(struct dn_capture *c, const struct dn_file_probe *probe, Dn__Object__Kind kind, const char *name,
		      uint32_t *ret_id, struct dn_error *err)
{
	struct statfs fs;
	char whose[96];

	int r = object_at(c, probe->st.st_dev, probe->st.st_ino, ret_id, err);
	if (r < 0)
		return r;
	struct dn_object *o = &c->files->objects[*ret_id - 1];
	if (o->fd >= 0)
		return 0;
	_cleanup_fd_ int fd = dn_reopen(probe->fd, O_RDONLY | O_NONBLOCK);
	/* Its mode may forbid that even to its owner, who has it open. */
	int flags = fd == -EACCES ? fcntl(probe->fd, F_GETFL) : O_PATH;
	if (flags >= 0 && !(flags & O_PATH) && (flags & O_ACCMODE) != O_WRONLY) {
		fd = fcntl(probe->fd, F_DUPFD_CLOEXEC, 0);
		o->borrowed = fd >= 0;
	}
	if (fd < 0)
		return dn_error_set(err, fd, "%s %s: cannot open it for reading", dn_probe_whose(probe, whose),
				    probe->link);
	if (fstatfs(fd, &fs) < 0)
		return dn_error_set(err, -errno, "%s %s: cannot ask for its file system", dn_probe_whose(probe, whose),
				    probe->link);
	Dn__Object *m = &o->message;
	if (!m->name && !(m->name = strdup(name)))
		return dn_error_set(err, -ENOMEM, "cannot list deleted files");
	m->kind = kind;
	m->size = (uint64_t)probe->st.st_size;
	m->mode = probe->st.st_mode;
	m->uid = probe->st.st_uid;
	m->gid = probe->st.st_gid;
	m->mtime_ns = nanoseconds(probe->st.st_mtim);
	m->atime_ns = nanoseconds(probe->st.st_atim);
	int seals = fcntl(fd, F_GET_SEALS);
	m->seals = seals < 0 ? SEALS_UNKNOWN : (uint32_t)seals;
	if (fs.f_type == HUGETLBFS_MAGIC)
		m->huge_shift = (uint32_t)__builtin_ctzll((unsigned long long)fs.f_bsize);
	o->fd = DN_STEAL_FD(fd);
	return 0;
}

int dn_object_blind(struct dn_capture *c, dev_t dev, ino_t ino, Dn__Object__Kind kind, const char *name, uint64_t size,
		    uint32_t *ret_id, struct dn_error *err)
{
	int r = object_at(c, dev, ino, ret_id, err);
	if (r < 0)
		return r;
	struct dn_object *o = &c->files->objects[*ret_id - 1];
	if (o->fd >= 0)
		return 0;
	Dn__Object *m = &o->message;
	if (!m->name && !(m->name = strdup(name)))
		return dn_error_set(err, -ENOMEM, "cannot list deleted files");
	m->kind = kind;
	m->size = DN_MAX(m->size, size);
	m->mode = S_IFREG | (kind == DN__OBJECT__KIND__GHOST ? 0700 : 0777);
	m->uid = geteuid();
	m->gid = getegid();
	m->seals = SEALS_UNKNOWN;
	return 0;
}

int dn_objects_write(struct dn_capture *c, struct dn_error *err)
{
	struct dn_file_table *t = c->files;
	int r = 0;

	for (size_t i = 0; i < t->object_count && r == 0; i += 4096) {
		size_t n = DN_MIN(t->object_count - i, (size_t)4096);
		Dn__Object *list[4096];
		for (size_t k = 0; k < n; k++)
			list[k] = &t->objects[i + k].message;
		Dn__Objects objects = DN__OBJECTS__INIT;
		objects.objects = list;
		objects.n_objects = n;
		r = dn_image_write_message(c->writer, DN_RECORD_OBJECTS, &objects.base, err);
	}
	return r;
}

/* ================= restore ================= */

static int create_memfd(const Dn__Object *m, struct dn_error *err)
{
	unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;

	if (m->huge_shift)
		flags |= MFD_HUGETLB | m->huge_shift << MFD_HUGE_SHIFT;
	/* Where memfds are not executable by default, this one may have to be. */
	int fd = m->mode & 0111 ? memfd_create(m->name, flags | MFD_EXEC) : -1;
	if (fd < 0)
		fd = memfd_create(m->name, flags);
	return fd < 0 ? dn_error_set(err, -errno, "cannot create memfd '%s'", m->name) : fd;
}

/* Shared anonymous memory is made as programs make it; a memfd is the next best thing. */
static int create_shared(const Dn__Object *m, struct dn_error *err)
{
	int flags = MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE;
	char path[96];

	if (m->huge_shift)
		flags |= MAP_HUGETLB | (int)(m->huge_shift << MAP_HUGE_SHIFT);
	void *at = m->size ? mmap(NULL, m->size, PROT_READ | PROT_WRITE, flags, -1, 0) : MAP_FAILED;
	int fd = -1;
	if (at != MAP_FAILED) {
		uint64_t page = m->huge_shift ? 1ULL << m->huge_shift : DN_PAGE_SIZE;
		snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx", (unsigned long)at,
			 (unsigned long)at + (unsigned long)DN_ALIGN_UP(m->size, page));
		fd = open(path, O_RDWR | O_CLOEXEC);
		munmap(at, DN_ALIGN_UP(m->size, page));
	}
	return fd >= 0 ? fd : create_memfd(m, err);
}

/* What the image says of the path that led to an object; NULL: nothing. */
static const Dn__PathFile *path_of(struct dn_restore *r, const Dn__Object *m)
{
	size_t count;
	Dn__File **files = dn_image_files(r->image, &count);

	for (size_t i = 0; i < count; i++)
		if (files[i]->path && files[i]->path->object == m->id && files[i]->path->ino)
			return files[i]->path;
	return NULL;
}

/* The deleted file of an object may be alive still: an outside process has it, or it has other links.
 * An O_PATH descriptor of it, or -1. */
static int find_alive(const Dn__PathFile *path)
{
	struct {
		struct file_handle handle;
		unsigned char room[MAX_HANDLE_SZ];
	} h;
	char folder[PATH_MAX];
	struct stat st;

	if (!path || !path->handle.len || path->handle.len > MAX_HANDLE_SZ || strlen(path->path) >= sizeof(folder) ||
	    path->path[0] != '/')
		return -1;
	strcpy(folder, path->path);
	_cleanup_fd_ int at = -1;
	while (at < 0 && strrchr(folder, '/') != folder) {
		*strrchr(folder, '/') = '\0';
		at = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (at < 0)
		at = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (at < 0 || fstat(at, &st) < 0 || st.st_dev != path->dev)
		return -1;
	h.handle.handle_bytes = (unsigned int)path->handle.len;
	h.handle.handle_type = path->handle_type;
	memcpy(h.handle.f_handle, path->handle.data, path->handle.len);
	int fd = open_by_handle_at(at, &h.handle, O_PATH | O_CLOEXEC);
	if (fd >= 0 && (fstat(fd, &st) < 0 || st.st_ino != path->ino || !S_ISREG(st.st_mode))) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* An unnamed file in folder, whatever the file system can; -1. */
static int unnamed_file(const char *folder)
{
	char path[PATH_MAX];

	int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0)
		return fd;
	if (snprintf(path, sizeof(path), "%s/.dunlin-XXXXXX", folder) >= (int)sizeof(path))
		return -1;
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		unlink(path);
	return fd;
}

/* "/folder/#123": the name of a file that never had one (O_TMPFILE). */
static bool never_named(const char *path)
{
	const char *name = strrchr(path, '/') + 1;

	return name[0] == '#' && name[1] && !name[1 + strspn(name + 1, "0123456789")];
}

/* With the name that it had, if that is free: /proc tells it to those who look (exe, maps). */
static int once_named_file(const char *path)
{
	int fd = never_named(path) ? -1 : open(path, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd >= 0)
		unlink(path);
	return fd;
}

/* As near as possible to where it was: its folder, folders above on the same file system, /tmp. */
static int create_ghost(const Dn__Object *m, struct dn_error *err)
{
	char folder[PATH_MAX];
	struct stat st, first = {};

	if (strlen(m->name) >= sizeof(folder) || m->name[0] != '/')
		return dn_error_say(err, -EINVAL, "the image names a deleted file '%s'", m->name);
	int fd = once_named_file(m->name);
	if (fd >= 0)
		return fd;
	strcpy(folder, m->name);
	for (char *slash; (slash = strrchr(folder, '/'));) {
		*slash = '\0';
		const char *name = folder[0] ? folder : "/";
		if (stat(name, &st) == 0) {
			if (!first.st_dev)
				first = st;
			fd = st.st_dev == first.st_dev ? unnamed_file(name) : -1;
			if (fd >= 0)
				return fd;
		}
	}
	fd = unnamed_file("/tmp");
	if (fd < 0)
		return dn_error_set(err, -errno, "cannot create a file for the content of %s, which was deleted",
				    m->name);
	dn_info("the deleted file %s is restored in /tmp", m->name);
	return fd;
}

static int create_object(struct dn_restore *r, struct dn_open_object *o, struct dn_error *err)
{
	const Dn__Object *m = o->message;
	const Dn__PathFile *path;
	_cleanup_fd_ int fd = -1;
	struct stat st;

	if (m->size > INT64_MAX || m->huge_shift > 40)
		return dn_error_say(err, -EINVAL, "object %u of the image has an impossible size", m->id);
	switch (m->kind) {
	case DN__OBJECT__KIND__MEMFD: fd = create_memfd(m, err); break;
	case DN__OBJECT__KIND__SHARED: fd = create_shared(m, err); break;
	case DN__OBJECT__KIND__GHOST:
		path = path_of(r, m);
		o->fd = find_alive(path);
		o->alive = o->fd >= 0;
		if (!o->alive)
			fd = create_ghost(m, err);
		if (!o->alive && path && path->linked)
			dn_warn("%s was deleted and had other names, which cannot be found from here: the program goes "
				"on "
				"with a file of its own",
				m->name);
		break;
	default: return dn_error_say(err, -EINVAL, "object %u of the image is of kind %d", m->id, m->kind);
	}
	if (o->alive) {
		if (fstat(o->fd, &st) < 0 || (uint64_t)st.st_size < m->size)
			return dn_error_say(err, -ESTALE,
					    "%s, which was deleted but lives on, is shorter than at the checkpoint",
					    m->name);
		return 0;
	}
	if (fd < 0)
		return fd;
	int k = dn_truncate_quietly(fd, m->size);
	if (k < 0)
		return dn_error_set(err, k, "cannot make %s %llu bytes long", m->name, (unsigned long long)m->size);
	o->fd = dn_reopen(fd, O_PATH);
	if (o->fd < 0)
		return dn_error_set(err, o->fd, "cannot open %s again", m->name);
	if (fcntl(fd, F_GETFL) & O_TMPFILE & ~O_DIRECTORY)
		o->maker = DN_STEAL_FD(fd);
	return 0;
}

int dn_objects_create(struct dn_restore *r, struct dn_error *err)
{
	struct dn_open_files *o = r->files;
	int n = 0;

	for (size_t i = 0; i < o->object_count && n >= 0; i++) {
		n = create_object(r, &o->objects[i], err);
		if (n >= 0)
			o->objects[i].fd = n = dn_place(o, NULL, o->objects[i].fd, err);
		if (n >= 0 && o->objects[i].maker >= 0)
			o->objects[i].maker = n = dn_place(o, NULL, o->objects[i].maker, err);
	}
	return n < 0 ? n : 0;
}

int dn_object_open(struct dn_restore *r, uint32_t id, uint32_t flags, struct dn_error *err)
{
	struct dn_open_object *o = dn_open_object(r->files, id);

	if (!o || o->fd < 0)
		return dn_error_say(err, -EINVAL, "the image has no object %u", id);
	/* The description that made the file is that of a program that made it so. */
	if (o->maker >= 0 && (flags & O_TMPFILE) == O_TMPFILE && (flags & O_ACCMODE) == O_RDWR)
		return DN_STEAL_FD(o->maker);
	/* O_DIRECT is set later, where it can be. */
	int fd = dn_reopen(o->fd, (dn_open_flags(flags) & ~(O_NOFOLLOW | O_DIRECT)) | O_NONBLOCK);
	if (fd < 0)
		return dn_error_set(err, fd, "cannot open %s, which was deleted, again", o->message->name);
	return fd;
}

int dn_objects_descriptor(struct dn_restore *r, uint32_t object_id)
{
	struct dn_open_object *o = r->files ? dn_open_object(r->files, object_id) : NULL;

	if (!o || o->fd < 0)
		return -ENOENT;
	if (o->alive)
		return -ESTALE;
	pthread_mutex_lock(&r->files->lock);
	if (o->work < 0)
		o->work = dn_reopen(o->fd, O_RDWR);
	int fd = o->work;
	pthread_mutex_unlock(&r->files->lock);
	return fd;
}

/* memfds and shared memory have their mode from creation; only what differs is set. */
static int set_attributes(const Dn__Object *m, int fd, struct dn_error *err)
{
	struct timespec times[2] = {
		{ .tv_sec = m->atime_ns / 1000000000, .tv_nsec = m->atime_ns % 1000000000 },
		{ .tv_sec = m->mtime_ns / 1000000000, .tv_nsec = m->mtime_ns % 1000000000 },
	};
	struct stat st;

	if (fstat(fd, &st) < 0)
		return dn_error_set(err, -errno, "cannot look at %s", m->name);
	if ((st.st_uid != m->uid || st.st_gid != m->gid) && fchown(fd, m->uid, m->gid) < 0)
		return dn_error_set(err, -errno, "cannot give %s to user %u, group %u", m->name, m->uid, m->gid);
	if ((st.st_mode & 07777) != (m->mode & 07777) && fchmod(fd, m->mode & 07777) < 0)
		return dn_error_set(err, -errno, "cannot set the mode of %s", m->name);
	if (m->mtime_ns > 0 && m->atime_ns > 0 && futimens(fd, times) < 0)
		return dn_error_set(err, -errno, "cannot set the times of %s", m->name);
	return 0;
}

static int seal_object(struct dn_restore *r, struct dn_open_object *o, struct dn_error *err)
{
	const Dn__Object *m = o->message;

	if (o->alive)
		return 0;
	int fd = dn_objects_descriptor(r, m->id);
	if (fd < 0)
		return dn_error_set(err, fd, "cannot open %s for writing", m->name);
	int n = set_attributes(m, fd, err);
	int seals = n == 0 ? fcntl(fd, F_GET_SEALS) : -1;
	if (seals >= 0 && m->seals != SEALS_UNKNOWN && (m->seals & ~(uint32_t)seals) &&
	    fcntl(fd, F_ADD_SEALS, m->seals & ~(uint32_t)seals) < 0)
		n = dn_error_set(err, -errno, "cannot seal memfd '%s'", m->name);
	close(o->work);
	o->work = -1;
	return n;
}

int dn_objects_seal(struct dn_restore *r, struct dn_error *err)
{
	struct dn_open_files *o = r->files;
	int n = 0;

	for (size_t i = 0; o && i < o->object_count && n == 0; i++)
		n = seal_object(r, &o->objects[i], err);
	return n;
}
