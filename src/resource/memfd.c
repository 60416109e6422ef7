/* SPDX-License-Identifier: BSD-3-Clause */
/* memfd.c - driver: memfds and shared anonymous memory (object.c has their content) */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>

#include "base/util.h"
#include "resource/drivers.h"
#include "resource/fileopen.h"
#include "resource/filetable.h"
#include "resource/message.h"

static const char deleted[] = " (deleted)";

/* Files of the kernel's own file systems for memory; users have no names there. */
static bool match(const struct dn_file_probe *probe)
{
	struct statfs fs;

	if (!S_ISREG(probe->st.st_mode) || probe->st.st_nlink)
		return false;
	if (probe->st.st_dev == probe->shm_dev)
		return true;
	return (!strncmp(probe->link, "/memfd:", 7) || !strncmp(probe->link, "/anon_hugepage", 14)) &&
	       fstatfs(probe->fd, &fs) == 0 && fs.f_type == HUGETLBFS_MAGIC;
}

static int capture(struct dn_capture *c, const struct dn_file_probe *probe, Dn__File *file, struct dn_error *err)
{
	Dn__Object__Kind kind = DN__OBJECT__KIND__SHARED;
	_cleanup_free_ char *name = strdup(probe->link);
	char whose[96];

	file->mem = dn_message_new(&dn__mem_file__descriptor);
	if (!name || !file->mem)
		return dn_error_set(err, -ENOMEM, "cannot list memfds");
	size_t n = strlen(name), suffix = strlen(deleted);
	if (n > suffix && !strcmp(name + n - suffix, deleted))
		name[n - suffix] = '\0';
	if (!strncmp(name, "/memfd:", 7)) {
		kind = DN__OBJECT__KIND__MEMFD;
		memmove(name, name + 7, strlen(name + 7) + 1);
	} else if (strcmp(name, "/dev/zero") && strcmp(name, "/anon_hugepage")) {
		return dn_error_refuse(err, "%s %s%s, which cannot be captured", dn_probe_whose(probe, whose), name,
				       strncmp(name, "/SYSV", 5) ? "" : ", System V shared memory");
	}
	return dn_object_capture(c, probe, kind, name, &file->mem->object, err);
}

static int check(struct dn_restore *r, const Dn__File *file, struct dn_error *err)
{
	const struct dn_open_object *o = file->mem ? dn_open_object(r->files, file->mem->object) : NULL;

	if (!o || o->message->kind == DN__OBJECT__KIND__GHOST)
		return dn_error_say(err, -EINVAL, "the image has no memory for file %u", file->id);
	return 0;
}

static int restore(struct dn_restore *r, const Dn__File *file, int *ret_fd, struct dn_error *err)
{
	int fd = dn_object_open(r, file->mem->object, file->flags, err);

	if (fd < 0)
		return fd;
	*ret_fd = fd;
	return 0;
}

const struct dn_file_driver dn_driver_memfd = {
	.name = "memfd",
	.match = match,
	.capture = capture,
	.check = check,
	.restore = restore,
};
