/* SPDX-License-Identifier: BSD-3-Clause */
/* filemapping.c - capture of files that are not descriptors: mappings, exe, cwd, root
 *
 * A mapping's file is opened through /proc/PID/map_files, which leads to deleted files and to shared
 * anonymous memory too.  Without the privilege for that, the path is tried, and what has no path is
 * left to be read through the mappings.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/sysmacros.h>
#include <xxhash.h>

#include "base/util.h"
#include "resource/filetable.h"
#include "resource/message.h"

struct mapping {
	struct dn_process *process;
	uint64_t start, end;
	dev_t dev;
	ino_t ino;
	int access;
	char link[PATH_MAX];
};

static bool same_inode(const char *path, dev_t dev, ino_t ino)
{
	struct stat st;

	if (path[0] != '/' || lstat(path, &st) < 0 || st.st_ino != ino)
		return false;
	/* Some file systems (btrfs, overlayfs) have a device number of their own in maps. */
	return st.st_dev == dev || (major(st.st_dev) == 0 && major(dev) == 0);
}

static int add_file(struct dn_capture *c, const struct mapping *m, int fd, uint32_t *ret_index, struct dn_error *err)
{
	struct dn_file_probe probe = {
		.process = m->process, .number = -1, .fd = fd, .flags = m->access, .link = m->link, .fdinfo = ""
	};

	int r = dn_probe_fill(c->files, &probe, err);
	return r < 0 ? r : dn_description_add(c, &probe, ret_index, err);
}

/* How far into its file a mapping reaches, and the size of its pages, from the process's own view. */
static int mapped_until(const struct mapping *m, uint64_t *ret_until, uint32_t *ret_huge_shift, struct dn_error *err)
{
	_cleanup_text_ struct dn_text text = {};
	bool huge = strstr(m->link, "hugepage") || !strncmp(m->link, "/memfd:", 7);
	char prefix[64];
	unsigned long offset = 0, page = 0;

	int r = dn_read_text(&text, err, "/proc/%d/%s", m->process->pid, huge ? "smaps" : "maps");
	if (r < 0)
		return r;
	int n = snprintf(prefix, sizeof(prefix), "%08lx-%08lx ", (unsigned long)m->start, (unsigned long)m->end);
	for (char *line = text.data; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		if (strncmp(line, prefix, (size_t)n) || sscanf(line + n, "%*s %lx", &offset) != 1)
			continue;
		const char *key = huge ? strstr(line, "KernelPageSize:") : NULL;
		if (key && sscanf(key, "KernelPageSize: %lu kB", &page) == 1 && page * 1024 > DN_PAGE_SIZE)
			*ret_huge_shift = (uint32_t)__builtin_ctzl(page * 1024);
		*ret_until = offset + (m->end - m->start);
		return 0;
	}
	return dn_error_say(err, -ENOENT, "process %d has no mapping at %s", m->process->pid, prefix);
}

/* What kind of object a name in maps without a path is; name is cut down to what Object.name holds. */
static int kind_of(const struct mapping *m, char *name, Dn__Object__Kind *ret, struct dn_error *err)
{
	char *suffix = strrchr(name, ' ');

	if (suffix && !strcmp(suffix, " (deleted)"))
		*suffix = '\0';
	if (!strncmp(name, "/memfd:", 7)) {
		*ret = DN__OBJECT__KIND__MEMFD;
		memmove(name, name + 7, strlen(name + 7) + 1);
	} else if (!strcmp(name, "/dev/zero") || !strcmp(name, "/anon_hugepage")) {
		*ret = DN__OBJECT__KIND__SHARED;
	} else if (!suffix || name[0] != '/' || !strncmp(name, "/SYSV", 5)) {
		return dn_error_refuse(err, "process %d maps %s, which cannot be captured without privilege",
				       m->process->pid, m->link);
	} else {
		*ret = DN__OBJECT__KIND__GHOST;
	}
	return 0;
}

static int fill_blind(Dn__File *file, const char *driver, Dn__Object__Kind kind, const char *name, uint32_t object)
{
	if (dn_message_string(&file->driver, driver) < 0)
		return -ENOMEM;
	if (kind != DN__OBJECT__KIND__GHOST) {
		file->mem = dn_message_new(&dn__mem_file__descriptor);
		if (!file->mem)
			return -ENOMEM;
		file->mem->object = object;
		return 0;
	}
	file->path = dn_message_new(&dn__path_file__descriptor);
	if (!file->path)
		return -ENOMEM;
	file->path->object = object;
	file->path->mode = S_IFREG | 0600;
	return dn_message_string(&file->path->path, name);
}

/* No path and no privilege: an object that is read through the mappings. */
static int add_blind(struct dn_capture *c, const struct mapping *m, uint32_t *ret_index, struct dn_error *err)
{
	struct dn_file_table *t = c->files;
	Dn__Object__Kind kind = DN__OBJECT__KIND__GHOST;
	char name[PATH_MAX];
	uint64_t until = 0;
	uint32_t id = 0, huge_shift = 0;

	memcpy(name, m->link, sizeof(name));
	int r = kind_of(m, name, &kind, err);
	if (r == 0)
		r = mapped_until(m, &until, &huge_shift, err);
	if (r == 0)
		r = dn_object_blind(c, m->dev, m->ino, kind, name, until, &id, err);
	if (r < 0)
		return r;
	if (c->files->objects[id - 1].fd < 0)
		c->files->objects[id - 1].message.huge_shift = huge_shift;
	Dn__File *file = dn_message_new(&dn__file__descriptor);
	const char *driver = kind == DN__OBJECT__KIND__GHOST ? "regular" : "memfd";
	if (!file || dn_grow(&t->descriptions, &t->cap, t->count, sizeof(*t->descriptions)) < 0 ||
	    fill_blind(file, driver, kind, name, id) < 0) {
		dn__file__free_unpacked(file, NULL);
		return dn_error_set(err, -ENOMEM, "cannot list mapped files");
	}
	*ret_index = (uint32_t)t->count;
	file->id = (uint32_t)t->count + 1;
	file->flags = (uint32_t)m->access;
	t->descriptions[t->count++] = (struct dn_description){
		.file = file,
		.driver = dn_file_driver_named(driver),
		.dev = m->dev,
		.ino = m->ino,
		.process = m->process,
		.number = -1,
		.blind = id,
	};
	return 0;
}

/* A blind object is as large as its mappings reach. */
static int extend_blind(struct dn_capture *c, const struct mapping *m, uint32_t id, struct dn_error *err)
{
	struct dn_object *o = &c->files->objects[id - 1];
	uint64_t until = 0;
	uint32_t huge_shift = 0;

	if (o->fd >= 0) /* a descriptor of it was met later */
		return 0;
	int r = mapped_until(m, &until, &huge_shift, err);
	if (r == 0)
		o->message.size = DN_MAX(o->message.size, until);
	return r;
}

/* Without privilege: by the path, by a descriptor that is open on it, by another name; -EPERM. */
static int open_otherwise(struct dn_file_table *t, const struct mapping *m, struct dn_error *err)
{
	uint32_t group = dn_idmap_get(&t->map, DN_KEY_GROUP, m->dev, m->ino);

	if (group && t->groups[group - 1].count)
		return dn_description_get(&t->descriptions[t->groups[group - 1].sorted[0]], err);
	if (same_inode(m->link, m->dev, m->ino)) {
		int fd = open(m->link, O_PATH | O_CLOEXEC);
		return fd >= 0 ? fd : dn_error_set(err, -errno, "cannot open %s", m->link);
	}
	_cleanup_free_ char *other = dn_path_other_name(m->link, m->dev, m->ino);
	int fd = other ? open(other, O_PATH | O_CLOEXEC | O_NOFOLLOW) : -1;
	return fd >= 0 ? fd : -EPERM;
}

/* Opens the mapped file; -EPERM: no path and no privilege. */
static int open_mapping(struct dn_file_table *t, struct mapping *m, const char *map_name, struct dn_error *err)
{
	char path[96];

	snprintf(path, sizeof(path), "/proc/%d/map_files/%lx-%lx", m->process->pid, (unsigned long)m->start,
		 (unsigned long)m->end);
	ssize_t n = readlink(path, m->link, sizeof(m->link) - 1);
	if (n < 0 && errno != EPERM && errno != EACCES)
		return dn_error_set(err, -errno, "cannot read %s (%s)", path, map_name);
	if (n < 0)
		n = snprintf(m->link, sizeof(m->link), "%s", map_name);
	m->link[n] = '\0';
	int fd = open(path, O_PATH | O_CLOEXEC);
	if (fd >= 0 || (errno != EPERM && errno != EACCES))
		return fd >= 0 ? fd : dn_error_set(err, -errno, "cannot open %s (%s)", path, m->link);
	return open_otherwise(t, m, err);
}

static int refuse_mapping(const struct dn_description *d, const struct mapping *m, struct dn_error *err)
{
	struct stat st = { .st_mode = d->file->path ? d->file->path->mode : S_IFREG };

	if (S_ISREG(st.st_mode) || (S_ISCHR(st.st_mode) && d->file->path->rdev == makedev(1, 5)))
		return 0;
	return dn_error_refuse(err, "process %d maps %s at 0x%lx, which cannot be captured", m->process->pid, m->link,
			       (unsigned long)m->start);
}

int dn_files_capture_mapping(struct dn_capture *c, struct dn_process *p, uint64_t start, uint64_t end, dev_t dev,
			     ino_t ino, const char *map_name, int access, bool executable, bool private,
			     uint32_t *ret_file, struct dn_error *err)
{
	struct mapping m = { .process = p, .start = start, .end = end, .dev = dev, .ino = ino, .access = access };
	struct dn_file_table *t = NULL;
	uint32_t index = 0;

	int r = dn_file_table(c, &t, err);
	if (r < 0)
		return r;
	uint32_t what = DN_KEY_MAPPING + (uint32_t)(access & O_ACCMODE);
	uint64_t key = ino ^ XXH3_64bits(map_name, strlen(map_name));
	uint32_t *known = dn_idmap_at(&t->map, what, dev, key);
	if (known && *known) {
		index = *known - 1;
		if (t->descriptions[index].blind)
			r = extend_blind(c, &m, t->descriptions[index].blind, err);
	} else {
		_cleanup_fd_ int fd = open_mapping(t, &m, map_name, err);
		if (fd < 0 && fd != -EPERM)
			return fd;
		r = fd >= 0 ? add_file(c, &m, fd, &index, err) : add_blind(c, &m, &index, err);
		if (r == 0)
			r = refuse_mapping(&t->descriptions[index], &m, err);
		known = dn_idmap_at(&t->map, what, dev, key);
		if (r == 0 && !known)
			r = dn_error_set(err, -ENOMEM, "cannot list mapped files");
		if (r == 0)
			*known = index + 1;
	}
	if (r < 0)
		return r;
	Dn__File *file = t->descriptions[index].file;
	if (file->path && !file->path->object) {
		file->path->content_matters = file->path->content_matters || executable;
		file->path->mapped = file->path->mapped || private;
	}
	*ret_file = file->id;
	return 0;
}

int dn_files_capture_link(struct dn_capture *c, struct dn_process *p, const char *which, uint32_t *ret_file,
			  struct dn_error *err)
{
	bool exe = !strcmp(which, "exe");
	const char *what = exe ? "executable" : which[0] == 'c' ? "working directory" : "root directory";
	struct mapping m = { .process = p, .access = exe ? O_RDONLY : O_PATH | O_DIRECTORY };
	struct dn_file_table *t = NULL;
	char path[64];
	struct stat st;
	uint32_t index = 0;

	int r = dn_file_table(c, &t, err);
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "/proc/%d/%s", p->pid, which);
	_cleanup_fd_ int fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return dn_error_set(err, -errno, "cannot open %s", path);
	ssize_t n = readlink(path, m.link, sizeof(m.link) - 1);
	if (n < 0 && errno == ENAMETOOLONG)
		return dn_error_refuse(err, "the %s of process %d has a path longer than %d bytes", what, p->pid,
				       PATH_MAX);
	if (n < 0)
		return dn_error_set(err, -errno, "cannot read %s", path);
	m.link[n] = '\0';
	if (!exe && st.st_dev == t->proc_dev && dn_proc_pid(m.link))
		return dn_error_refuse(err, "the %s of process %d is %s, which cannot be captured", what, p->pid,
				       m.link);
	uint64_t key = st.st_ino ^ XXH3_64bits(m.link, (size_t)n);
	uint32_t *known = dn_idmap_at(&t->map, DN_KEY_LINK, st.st_dev, key);
	if (!known || !*known) {
		r = add_file(c, &m, fd, &index, err);
		known = dn_idmap_at(&t->map, DN_KEY_LINK, st.st_dev, key);
		if (r == 0 && !known)
			r = dn_error_set(err, -ENOMEM, "cannot list open files");
		if (r < 0)
			return dn_error_wrap(err, "%s of process %d", which, p->pid);
		*known = index + 1;
	}
	Dn__File *file = t->descriptions[*known - 1].file;
	if (exe && file->path && !file->path->object)
		file->path->content_matters = true;
	*ret_file = file->id;
	return 0;
}
