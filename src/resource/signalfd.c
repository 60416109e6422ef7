/* SPDX-License-Identifier: BSD-3-Clause */
/* signalfd.c - driver: signalfds
 *
 * A signalfd holds a set of signals and nothing else: what is read from it are the pending signals of whoever
 * reads.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>

#include "base/util.h"
#include "resource/drivers.h"
#include "resource/fileopen.h"
#include "resource/filetable.h"
#include "resource/message.h"

static bool match(const struct dn_file_probe *probe)
{
	return !strcmp(probe->link, "anon_inode:[signalfd]") && !(probe->flags & O_PATH);
}

static int capture(struct dn_capture *c, const struct dn_file_probe *probe, Dn__File *file, struct dn_error *err)
{
	char whose[96];

	const char *mask = dn_probe_field(probe, "sigmask");
	if (!mask)
		return dn_error_say(err, -EINVAL, "%s a signalfd: cannot understand its fdinfo",
				    dn_probe_whose(probe, whose));
	file->signals = dn_message_new(&dn__signal_file__descriptor);
	if (!file->signals)
		return dn_error_set(err, -ENOMEM, "cannot list signalfds");
	file->signals->mask = strtoull(mask, NULL, 16);
	return 0;
}

static int check(struct dn_restore *r, const Dn__File *file, struct dn_error *err)
{
	if (!file->signals)
		return dn_error_say(err, -EINVAL, "file %u of the image is no signalfd", file->id);
	return 0;
}

static int restore(struct dn_restore *r, const Dn__File *file, int *ret_fd, struct dn_error *err)
{
	/* The system call, since the kernel's sets are shorter than those of libc. */
	*ret_fd = (int)syscall(SYS_signalfd4, -1, &file->signals->mask, sizeof(file->signals->mask), O_CLOEXEC);
	return *ret_fd < 0 ? dn_error_set(err, -errno, "cannot make a signalfd") : 0;
}

const struct dn_file_driver dn_driver_signalfd = {
	.name = "signalfd",
	.match = match,
	.capture = capture,
	.check = check,
	.restore = restore,
};
