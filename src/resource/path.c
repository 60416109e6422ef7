/* SPDX-License-Identifier: BSD-3-Clause */
/* path.c - files known by their path: finding it, checking it at restart, opening it */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/log.h"
#include "base/util.h"
#include "resource/fileopen.h"
#include "resource/filetable.h"
#include "resource/message.h"

#define MQUEUE_MAGIC 0x19800202	  /* ipc/mqueue.c */
#define CONFIGFS_MAGIC 0x62656570 /* fs/configfs/mount.c */

static const char deleted[] = " (deleted)";

/* ================= capture ================= */

static bool is_deleted(const char *link)
{
	size_t n = strlen(link), suffix = strlen(deleted);

	return n > suffix && !strcmp(link + n - suffix, deleted);
}

static bool leads_to(const char *path, const struct stat *st)
{
	struct stat other;

	return lstat(path, &other) == 0 && other.st_dev == st->st_dev && other.st_ino == st->st_ino;
}

/* Another name of the inode in the folder of path (it was renamed, or has a hard link there). */
static char *search_folder(const char *path, const struct stat *st)
{
	char folder[PATH_MAX], *found = NULL;
	struct stat other;

	if (strlen(path) >= sizeof(folder))
		return NULL;
	strcpy(folder, path);
	char *slash = strrchr(folder, '/');
	slash[slash == folder] = '\0';
	DIR *d = opendir(folder);
	if (!d)
		return NULL;
	for (struct dirent *e; !found && (e = readdir(d));) {
		if (e->d_ino != st->st_ino || fstatat(dirfd(d), e->d_name, &other, AT_SYMLINK_NOFOLLOW) < 0 ||
		    other.st_dev != st->st_dev || other.st_ino != st->st_ino)
			continue;
		if (asprintf(&found, "%s/%s", slash == folder ? "" : folder, e->d_name) < 0)
			found = NULL;
	}
	closedir(d);
	return found;
}

char *dn_path_other_name(const char *link, dev_t dev, ino_t ino)
{
	struct stat st = { .st_dev = dev, .st_ino = ino };
	_cleanup_free_ char *path = link[0] == '/' ? strdup(link) : NULL;

	if (!path)
		return NULL;
	if (is_deleted(path))
		path[strlen(path) - strlen(deleted)] = '\0';
	return search_folder(path, &st);
}

/* NFS keeps deleted files under such names as long as they are open on this host. */
static bool is_nfs_leftover(const struct dn_file_probe *probe)
{
	const char *name = strrchr(probe->link, '/');
	struct statfs fs;

	return name && !strncmp(name, "/.nfs", 5) && fstatfs(probe->fd, &fs) == 0 && fs.f_type == NFS_SUPER_MAGIC;
}

int dn_path_find(const struct dn_file_probe *probe, char **ret_path, char **ret_was, struct dn_error *err)
{
	_cleanup_free_ char *was = strdup(probe->link), *path = NULL;
	bool leftover = S_ISREG(probe->st.st_mode) && is_nfs_leftover(probe);
	char whose[96];

	if (!was)
		return dn_error_set(err, -ENOMEM, "cannot list open files");
	if (was[0] != '/')
		return dn_error_refuse(err, "%s %s, which cannot be captured", dn_probe_whose(probe, whose), was);
	if (!leftover && leads_to(was, &probe->st)) {
		path = DN_STEAL(was);
	} else if (!leftover) {
		if (is_deleted(was))
			was[strlen(was) - strlen(deleted)] = '\0';
		if (leads_to(was, &probe->st))
			path = DN_STEAL(was);
		else if (probe->st.st_nlink > 0)
			path = search_folder(was, &probe->st);
	}
	if (!path && !leftover && probe->st.st_nlink && probe->st.st_dev != probe->proc_dev && !is_deleted(probe->link))
		return dn_error_refuse(err,
				       "%s %s, but that path does not lead there any more: something was mounted "
				       "over it, or a folder of the path may not be searched",
				       dn_probe_whose(probe, whose), probe->link);
	*ret_path = DN_STEAL(path);
	*ret_was = *ret_path ? NULL : DN_STEAL(was);
	return 0;
}

/* Is the file on a file system that is mounted, or on one of the kernel's own (secretmem, dmabuf...)? */
static bool is_mounted(int fd)
{
	_cleanup_text_ struct dn_text text = {};
	struct statx stx, root;
	char prefix[32];

	if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &stx) < 0 || !(stx.stx_mask & STATX_MNT_ID) ||
	    dn_read_text(&text, NULL, "/proc/self/mountinfo") < 0)
		return false;
	/* In a chroot that is no mount itself the list leaves out what / is on. */
	if (statx(AT_FDCWD, "/", 0, STATX_MNT_ID, &root) == 0 && root.stx_mnt_id == stx.stx_mnt_id)
		return true;
	int n = snprintf(prefix, sizeof(prefix), "%llu ", (unsigned long long)stx.stx_mnt_id);
	for (const char *line = text.data; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
		if (!strncmp(line, prefix, (size_t)n))
			return true;
	return false;
}

/* Files there are not what is read from them: a message queue, a control of the kernel. */
static bool is_data(int fd)
{
	static const unsigned int others[] = { MQUEUE_MAGIC,	    SYSFS_MAGIC,    CGROUP_SUPER_MAGIC,
					       CGROUP2_SUPER_MAGIC, DEBUGFS_MAGIC,  TRACEFS_MAGIC,
					       SECURITYFS_MAGIC,    BPF_FS_MAGIC,   BINFMTFS_MAGIC,
					       EFIVARFS_MAGIC,	    PSTOREFS_MAGIC, CONFIGFS_MAGIC,
					       RDTGROUP_SUPER_MAGIC };
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return false;
	for (size_t i = 0; i < DN_ARRAY_LEN(others); i++)
		if ((unsigned int)fs.f_type == others[i])
			return false;
	return true;
}

static int capture_handle(const struct dn_file_probe *probe, Dn__PathFile *m)
{
	struct {
		struct file_handle handle;
		unsigned char room[MAX_HANDLE_SZ];
	} h = { .handle.handle_bytes = MAX_HANDLE_SZ };
	int mount;

	/* Not all file systems have handles; the content travels anyhow. */
	if (name_to_handle_at(probe->fd, "", &h.handle, &mount, AT_EMPTY_PATH) < 0)
		return 0;
	m->handle_type = h.handle.handle_type;
	return dn_message_bytes(&m->handle, h.handle.f_handle, h.handle.handle_bytes);
}

static int capture_deleted(struct dn_capture *c, const struct dn_file_probe *probe, const char *was, Dn__PathFile *m,
			   struct dn_error *err)
{
	char whose[96];

	if (!S_ISREG(probe->st.st_mode) && !S_ISDIR(probe->st.st_mode))
		return dn_error_refuse(err, "%s %s, a deleted special file, which cannot be captured",
				       dn_probe_whose(probe, whose), was);
	if (!is_data(probe->fd))
		return dn_error_refuse(
			err, "%s %s, a deleted file of a file system that is no storage, which cannot be captured",
			dn_probe_whose(probe, whose), was);
	if (!is_mounted(probe->fd))
		return dn_error_refuse(err, "%s %s, which is on no mounted file system and cannot be captured",
				       dn_probe_whose(probe, whose), was);
	if (S_ISDIR(probe->st.st_mode)) {
		m->removed = true;
		m->uid = probe->st.st_uid;
		m->gid = probe->st.st_gid;
		return 0;
	}
	int r = dn_object_capture(c, probe, DN__OBJECT__KIND__GHOST, was, &m->object, err);
	if (r < 0)
		return r;
	return capture_handle(probe, m) < 0 ? dn_error_set(err, -ENOMEM, "cannot list deleted files") : 0;
}

int dn_path_capture(struct dn_capture *c, const struct dn_file_probe *probe, Dn__PathFile **ret, struct dn_error *err)
{
	_cleanup_free_ char *path = NULL, *was = NULL;

	int r = dn_path_find(probe, &path, &was, err);
	if (r < 0)
		return r;
	Dn__PathFile *m = dn_message_new(&dn__path_file__descriptor);
	if (!m || dn_message_string(&m->path, path ? path : was) < 0) {
		free(m);
		return dn_error_set(err, -ENOMEM, "cannot list open files");
	}
	m->dev = probe->st.st_dev;
	m->ino = probe->st.st_ino;
	m->mode = probe->st.st_mode;
	m->size = (uint64_t)probe->st.st_size;
	m->rdev = probe->st.st_rdev;
	m->mtime_ns = (int64_t)probe->st.st_mtim.tv_sec * 1000000000 + probe->st.st_mtim.tv_nsec;
	m->linked = !path && probe->st.st_nlink > 0;
	if (!path)
		r = capture_deleted(c, probe, was, m, err);
	if (r < 0) {
		dn__path_file__free_unpacked(m, NULL);
		return r;
	}
	*ret = m;
	return 0;
}

/* ================= restore ================= */

static const char *type_name(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG: return "a regular file";
	case S_IFDIR: return "a folder";
	case S_IFLNK: return "a symbolic link";
	case S_IFIFO: return "a FIFO";
	case S_IFSOCK: return "a socket";
	case S_IFCHR: return "a character device";
	case S_IFBLK: return "a block device";
	}
	return "something unknown";
}

static bool opened_for_writing(const Dn__File *file)
{
	int access = (int)file->flags & O_ACCMODE;

	return !(file->flags & O_PATH) && (access == O_WRONLY || access == O_RDWR);
}

enum { WARNED_GROWTH = 1, WARNED_CHANGE = 2 };

/* True the first time. */
static bool warn_now(struct dn_restore *r, const struct stat *st, uint32_t of)
{
	uint32_t *warned = dn_idmap_at(&r->files->map, DN_OPEN_WARNED, st->st_dev, st->st_ino);
	bool now = warned && !(*warned & of);

	if (warned)
		*warned |= of;
	return now;
}

/* It is longer: remembered for --rollback-files, said once. */
static void note_growth(struct dn_restore *r, const Dn__File *file, const Dn__PathFile *path, const struct stat *st)
{
	bool now = warn_now(r, st, WARNED_GROWTH);

	if (now && r->options->rollback_files)
		dn_warn("%s grew from %llu to %llu bytes since the checkpoint; it is cut back", path->path,
			(unsigned long long)path->size, (unsigned long long)st->st_size);
	else if (now)
		dn_warn("%s grew from %llu to %llu bytes since the checkpoint; --rollback-files would cut it back",
			path->path, (unsigned long long)path->size, (unsigned long long)st->st_size);
	dn_open_file(r->files, file->id)->grown = true;
}

int dn_path_check(struct dn_restore *r, const Dn__File *file, const Dn__PathFile *path, struct dn_error *err)
{
	const struct dn_open_object *object;
	struct stat st;

	if (path->path[0] != '/')
		return dn_error_say(err, -EINVAL, "the image names a file '%s', which is not an absolute path",
				    path->path);
	if (path->object) {
		object = dn_open_object(r->files, path->object);
		if (!object || object->message->kind != DN__OBJECT__KIND__GHOST)
			return dn_error_say(err, -EINVAL, "the image has no content for %s", path->path);
		return 0;
	}
	if (path->removed)
		return 0;
	if ((S_ISLNK(path->mode) ? lstat(path->path, &st) : stat(path->path, &st)) < 0)
		return dn_error_set(err, -errno, "%s, which the program uses, cannot be found", path->path);
	if ((st.st_mode & S_IFMT) != (path->mode & S_IFMT))
		return dn_error_say(err, -ESTALE, "%s was %s at the checkpoint and is %s now", path->path,
				    type_name(path->mode), type_name(st.st_mode));
	if ((S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) && st.st_rdev != path->rdev)
		return dn_error_say(err, -ESTALE, "%s is another device than at the checkpoint", path->path);
	if (!S_ISREG(st.st_mode) || file->flags & O_PATH)
		return 0;
	if ((uint64_t)st.st_size < path->size)
		return dn_error_say(err, -ESTALE, "%s had %llu bytes at the checkpoint and has only %llu now",
				    path->path, (unsigned long long)path->size, (unsigned long long)st.st_size);
	int64_t mtime_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
	bool changed = (uint64_t)st.st_size != path->size || mtime_ns != path->mtime_ns;
	if (path->content_matters && changed)
		return dn_error_say(err, -ESTALE, "%s, which the program executes, was changed since the checkpoint",
				    path->path);
	if (path->mapped && changed && warn_now(r, &st, WARNED_CHANGE))
		dn_warn("%s, which the program has mapped, was changed since the checkpoint: the program will see "
			"parts of it as they are now",
			path->path);
	if ((uint64_t)st.st_size > path->size && opened_for_writing(file))
		note_growth(r, file, path, &st);
	return 0;
}

int dn_path_open(struct dn_restore *r, const Dn__File *file, const Dn__PathFile *path, struct dn_error *err)
{
	int flags = dn_open_flags(file->flags) & ~O_NONBLOCK;
	struct stat st;

	if (path->object)
		return dn_object_open(r, path->object, file->flags, err);
	if (path->removed)
		return dn_removed_open(r, file, err);
	/* Not to wait for a lease or the other end of what was put there meanwhile; set_state() makes
	 * it right. */
	flags |= flags & O_PATH ? 0 : O_NONBLOCK;
	_cleanup_fd_ int fd = open(path->path, flags | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 && errno == ETXTBSY)
		return dn_error_say(err, -ETXTBSY, "%s cannot be opened for writing: some program executes it",
				    path->path);
	if (fd < 0)
		return dn_error_set(err, -errno, "cannot open %s%s", path->path,
				    opened_for_writing(file) ? " for writing" : "");
	if (fstat(fd, &st) < 0 || (st.st_mode & S_IFMT) != (path->mode & S_IFMT))
		return dn_error_say(err, -ESTALE, "%s changed while it was opened", path->path);
	return DN_STEAL_FD(fd);
}

char *dn_path_spare(const char *path)
{
	char *spare = NULL;
	uint64_t number = 0;

	if (getrandom(&number, sizeof(number), 0) != sizeof(number) ||
	    asprintf(&spare, "%s.dunlin-%016llx", path, (unsigned long long)number) < 0)
		return NULL;
	return spare;
}
