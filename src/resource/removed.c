/* SPDX-License-Identifier: BSD-3-Clause */
/* removed.c - folders that were removed while programs were in them, or had them open
 *
 * Nothing is in them, and nothing can be made there any more.  At restart one is made where it was, opened and
 * removed; with it, for the moment, what is gone of the path to it.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/util.h"
#include "resource/fileopen.h"

#define DEPTH_MAX 128u

/* Makes what is missing of path; the lengths of what was made go to made.  -EEXIST: nothing is missing. */
static int make_path(char *path, size_t made[static DEPTH_MAX], unsigned int *ret_count)
{
	int r = 0;

	*ret_count = 0;
	for (char *end = path; end && r == 0;) {
		end = strchr(end + 1, '/');
		if (end)
			*end = '\0';
		r = mkdir(path, 0700) < 0 ? -errno : *ret_count == DEPTH_MAX ? -ENAMETOOLONG : 0;
		if (r == 0)
			made[(*ret_count)++] = strlen(path);
		if (end)
			*end = '/';
		if (r == -EEXIST && end)
			r = 0;
	}
	return r;
}

static int open_at(const Dn__File *file, const char *name)
{
	const Dn__PathFile *m = file->path;
	char path[PATH_MAX];
	size_t made[DEPTH_MAX];
	unsigned int count;

	if (strlen(name) >= sizeof(path))
		return -ENAMETOOLONG;
	strcpy(path, name);
	int fd = make_path(path, made, &count);
	if (fd == 0) {
		fd = open(path, dn_open_flags(file->flags) | O_CLOEXEC);
		if (fd < 0)
			fd = -errno;
		if (fd >= 0 && (lchown(path, m->uid, m->gid) < 0 || chmod(path, m->mode & 07777) < 0)) {
			int code = -errno;
			close(fd);
			fd = code;
		}
	}
	while (count > 0) {
		path[made[--count]] = '\0';
		rmdir(path);
	}
	return fd;
}

/* One that was opened already leads to the same folder. */
static int open_known(const struct dn_open_files *o, const Dn__File *file)
{
	for (size_t i = 0; i < o->count; i++) {
		const Dn__PathFile *other = o->files[i].message->path;
		if (other && other->removed && o->files[i].fd >= 0 && other->dev == file->path->dev &&
		    other->ino == file->path->ino)
			return dn_reopen(o->files[i].fd, dn_open_flags(file->flags));
	}
	return -ENOENT;
}

int dn_removed_open(struct dn_restore *r, const Dn__File *file, struct dn_error *err)
{
	_cleanup_free_ char *beside = dn_path_spare(file->path->path), *elsewhere = dn_path_spare("/tmp/removed");

	if (!beside || !elsewhere)
		return dn_error_set(err, -ENOMEM, "cannot make a folder");
	int fd = open_known(r->files, file);
	if (fd == -ENOENT)
		fd = open_at(file, file->path->path);
	if (fd == -EEXIST)
		fd = open_at(file, beside);
	if (fd < 0) {
		fd = open_at(file, elsewhere);
		if (fd >= 0)
			dn_info("the removed folder %s is restored in /tmp", file->path->path);
	}
	return fd < 0 ? dn_error_set(err, fd, "cannot make a folder in place of %s, which was removed",
				     file->path->path)
		      : fd;
}
