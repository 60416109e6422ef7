/* SPDX-License-Identifier: BSD-3-Clause */
/* regular.c - driver: regular files and folders, and O_PATH descriptors of anything
 *
 * They are opened again by their path; a deleted file's content travels along (path.c, object.c).
 */
#include <errno.h>

#include "resource/drivers.h"
#include "resource/fileopen.h"
#include "resource/filetable.h"

static bool match(const struct dn_file_probe *probe)
{
	return S_ISREG(probe->st.st_mode) || S_ISDIR(probe->st.st_mode) || probe->flags & O_PATH;
}

static int capture(struct dn_capture *c, const struct dn_file_probe *probe, Dn__File *file, struct dn_error *err)
{
	char whose[96];

	/* dnotify shows nowhere but in the owner that it gives to the descriptor, which means nothing else there. */
	if (S_ISDIR(probe->st.st_mode) && file->owner_pid)
		return dn_error_refuse(err, "%s %s, with an owner: notices of changes (F_NOTIFY) cannot be captured",
				       dn_probe_whose(probe, whose), probe->link);
	return dn_path_capture(c, probe, &file->path, err);
}

static int check(struct dn_restore *r, const Dn__File *file, struct dn_error *err)
{
	if (!file->path)
		return dn_error_say(err, -EINVAL, "file %u of the image has no path", file->id);
	return dn_path_check(r, file, file->path, err);
}

static int restore(struct dn_restore *r, const Dn__File *file, int *ret_fd, struct dn_error *err)
{
	int fd = dn_path_open(r, file, file->path, err);

	if (fd < 0)
		return fd;
	*ret_fd = fd;
	return 0;
}

const struct dn_file_driver dn_driver_regular = {
	.name = "regular",
	.match = match,
	.capture = capture,
	.check = check,
	.restore = restore,
};
