/* SPDX-License-Identifier: BSD-3-Clause */
/* device.c - driver: character devices that remember nothing */
#include <errno.h>
#include <fcntl.h>
#include <sys/sysmacros.h>

#include "base/util.h"
#include "resource/drivers.h"
#include "resource/fileopen.h"
#include "resource/filetable.h"

static bool without_state(dev_t device)
{
	static const unsigned int minors[] = { 3 /* null */, 5 /* zero */, 7 /* full */, 8 /* random */,
					       9 /* urandom */ };

	for (size_t i = 0; i < DN_ARRAY_LEN(minors); i++)
		if (device == makedev(1, minors[i]))
			return true;
	return false;
}

static bool match(const struct dn_file_probe *probe)
{
	return (S_ISCHR(probe->st.st_mode) || S_ISBLK(probe->st.st_mode)) && !(probe->flags & O_PATH);
}

static int capture(struct dn_capture *c, const struct dn_file_probe *probe, Dn__File *file, struct dn_error *err)
{
	char whose[96];

	if (!S_ISCHR(probe->st.st_mode) || !without_state(probe->st.st_rdev))
		return dn_error_refuse(err, "%s %s (%s device %u:%u), which cannot be captured",
				       dn_probe_whose(probe, whose), probe->link,
				       S_ISCHR(probe->st.st_mode) ? "character" : "block", major(probe->st.st_rdev),
				       minor(probe->st.st_rdev));
	return dn_path_capture(c, probe, &file->path, err);
}

static int check(struct dn_restore *r, const Dn__File *file, struct dn_error *err)
{
	if (!file->path || !S_ISCHR(file->path->mode) || !without_state(file->path->rdev))
		return dn_error_say(err, -EINVAL, "file %u of the image is no device that can be opened", file->id);
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

const struct dn_file_driver dn_driver_device = {
	.name = "device",
	.match = match,
	.capture = capture,
	.check = check,
	.restore = restore,
};
