/* SPDX-License-Identifier: BSD-3-Clause */
/* target.c - the file that an image becomes, under a temporary name until it is complete
 *
 * Theory of operation: the temporary file is ".NAME.dunlin-tmp-RANDOM" in the folder of the target, so
 * that rename() can replace whatever stood under NAME in one step.  Its writer holds an exclusive
 * flock() on it, which ends with the process, however it ends: a temporary file that can be locked is
 * a dead one, and the next checkpoint to the same target removes it.  Between the creation and the lock
 * of a new file somebody else may take it for a dead one; hence the look at st_nlink after locking.
 */
#include "image/target.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/log.h"
#include "base/util.h"

#define TEMP_MARK ".dunlin-tmp-"
#define TEMP_NAME_MAX 200 /* of the target's name that stands in the temporary one: both must fit 255 */
#define TEMP_TRIES 16

#ifndef XFS_SUPER_MAGIC /* linux/magic.h has it from 5.12 */
#define XFS_SUPER_MAGIC 0x58465342
#endif

static int split_path(struct dn_target *t, const char *path, struct dn_error *err)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;

	t->path = strdup(path);
	t->name = strdup(name);
	t->folder = slash == path ? strdup("/") : slash ? strndup(path, (size_t)(slash - path)) : strdup(".");
	if (!t->path || !t->name || !t->folder)
		return dn_error_set(err, -ENOMEM, "cannot write the image %s", path);
	if (!*path)
		return dn_error_say(err, -EINVAL, "the image needs a name: it is empty");
	if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return dn_error_say(err, -EISDIR, "cannot write the image %s: that is a folder; name a file in it",
				    path);
	return 0;
}

static const char *kind_name(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR: return "a folder";
	case S_IFLNK: return "a symbolic link";
	case S_IFIFO: return "a FIFO";
	case S_IFSOCK: return "a socket";
	default: return "a device";
	}
}

/* What stands under the name may be replaced only if it is a regular file. */
static int check_present(const struct dn_target *t, struct dn_error *err)
{
	struct stat st;

	if (fstatat(t->folder_fd, t->name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno == ENOENT)
			return 0;
		return dn_error_set(err, -errno, "cannot write the image %s", t->path);
	}
	if (S_ISREG(st.st_mode))
		return 0;
	return dn_error_say(err, -EEXIST,
			    "cannot write the image %s: there is %s of that name; name a regular file, %s", t->path,
			    kind_name(st.st_mode), "or `-' for standard output");
}

static int open_folder(struct dn_target *t, struct dn_error *err)
{
	t->folder_fd = open(t->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (t->folder_fd >= 0)
		return 0;
	if (errno == ENOENT)
		return dn_error_say(err, -ENOENT, "cannot write the image %s: there is no folder %s; create it first",
				    t->path, t->folder);
	return dn_error_set(err, -errno, "cannot write the image %s: cannot open the folder %s", t->path, t->folder);
}

static void temp_prefix(const struct dn_target *t, char prefix[sizeof(t->temp)])
{
	snprintf(prefix, sizeof(t->temp), ".%.*s" TEMP_MARK, TEMP_NAME_MAX, t->name);
}

/* Removes a temporary file if it is ours and its writer is dead. */
static void remove_if_stale(const struct dn_target *t, const char *name)
{
	_cleanup_fd_ int fd = openat(t->folder_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid())
		return;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return;
	if (unlinkat(t->folder_fd, name, 0) == 0)
		dn_info("removed %s/%s, which a checkpoint that was killed had left", t->folder, name);
}

static void remove_stale(const struct dn_target *t)
{
	char prefix[sizeof(t->temp)];

	temp_prefix(t, prefix);
	DIR *dir = opendir(t->folder);
	if (!dir)
		return;
	for (struct dirent *e = readdir(dir); e; e = readdir(dir))
		if (strncmp(e->d_name, prefix, strlen(prefix)) == 0)
			remove_if_stale(t, e->d_name);
	closedir(dir);
}

static int say_create_failed(const struct dn_target *t, int code, struct dn_error *err)
{
	switch (-code) {
	case EACCES:
	case EPERM:
		return dn_error_say(err, code, "cannot write the image %s: no permission to create files in %s",
				    t->path, t->folder);
	case EROFS:
		return dn_error_say(err, code,
				    "cannot write the image %s: %s is on a read-only file system; name another place",
				    t->path, t->folder);
	case ENOSPC:
	case EDQUOT:
		return dn_error_set(err, code, "cannot write the image %s: free space in %s or name another place",
				    t->path, t->folder);
	default:
		return dn_error_set(err, code, "cannot create a temporary file for the image %s in %s", t->path,
				    t->folder);
	}
}

/* Creates and locks; -EAGAIN: somebody came between, try another name. */
static int create_temp(struct dn_target *t)
{
	uint64_t random;
	char prefix[sizeof(t->temp)];
	struct stat st;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		random = dn_now_ns() ^ ((uint64_t)getpid() << 40);
	temp_prefix(t, prefix);
	/* prefix is at most 1 + TEMP_NAME_MAX + 12 long, so 16 more fit. */
	char name[sizeof(prefix) + 16];
	snprintf(name, sizeof(name), "%s%016" PRIx64, prefix, random);
	_cleanup_fd_ int fd = openat(t->folder_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno == EEXIST ? -EAGAIN : -errno;
	memcpy(t->temp, name, strlen(name) + 1);
	/* File systems without locks say something else than EWOULDBLOCK: there nobody can lock it to
	 * find out that it is stale, so nobody removes it. */
	if ((flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK) || (fstat(fd, &st) == 0 && st.st_nlink == 0)) {
		unlinkat(t->folder_fd, t->temp, 0);
		t->temp[0] = '\0';
		return -EAGAIN;
	}
	t->fd = DN_STEAL_FD(fd);
	/* The umask may have taken bits away that the owner needs. */
	return fchmod(t->fd, 0600) < 0 ? -errno : 0;
}

/* Opens the file a second time for direct I/O where that is measured to help: on local disks. */
static void open_direct(struct dn_target *t)
{
	struct statfs fs;

	if (fstatfs(t->fd, &fs) < 0)
		return;
	switch ((unsigned long)fs.f_type) {
	case EXT4_SUPER_MAGIC: /* ext2 and ext3 too */
	case XFS_SUPER_MAGIC:
	case BTRFS_SUPER_MAGIC:
	case F2FS_SUPER_MAGIC: break;
	default: return;
	}
	t->direct_fd = openat(t->folder_fd, t->temp, O_WRONLY | O_DIRECT | O_NOFOLLOW | O_CLOEXEC);
}

int dn_target_create(struct dn_target *t, const char *path, struct dn_error *err)
{
	int r = split_path(t, path, err);
	if (r >= 0)
		r = open_folder(t, err);
	if (r >= 0)
		r = check_present(t, err);
	if (r < 0)
		return r;
	remove_stale(t);
	r = -EAGAIN;
	for (int i = 0; i < TEMP_TRIES && r == -EAGAIN; i++)
		r = create_temp(t);
	if (r < 0)
		return say_create_failed(t, r, err);
	open_direct(t);
	return 0;
}

int dn_target_commit(struct dn_target *t, struct dn_error *err)
{
	int r;

	/* The size travels with fdatasync(); what it leaves out, the times, does not matter. */
	if (fdatasync(t->fd) < 0) {
		bool full = errno == ENOSPC || errno == EDQUOT;
		return dn_error_set(err, -errno, "cannot bring the image %s to the disk%s", t->path,
				    full ? " (free space there or name another place)" : "");
	}
	r = check_present(t, err);
	if (r < 0)
		return r;
	if (renameat(t->folder_fd, t->temp, t->folder_fd, t->name) < 0)
		return dn_error_set(err, -errno, "cannot rename the complete image from %s/%s to %s", t->folder,
				    t->temp, t->path);
	t->temp[0] = '\0';
	/* Some file systems cannot sync a folder and say so. */
	if (fsync(t->folder_fd) < 0 && errno != EINVAL && errno != ENOTSUP && errno != EROFS)
		return dn_error_set(
			err, -errno,
			"the image %s is complete, but its name may not outlive a power failure: cannot sync %s",
			t->path, t->folder);
	return 0;
}

void dn_target_finish(struct dn_target *t)
{
	if (t->temp[0])
		unlinkat(t->folder_fd, t->temp, 0);
	dn_cleanup_fd(&t->direct_fd);
	dn_cleanup_fd(&t->fd);
	dn_cleanup_fd(&t->folder_fd);
	free(t->path);
	free(t->folder);
	free(t->name);
	*t = (struct dn_target)DN_TARGET_INIT;
}
