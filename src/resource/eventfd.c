/* SPDX-License-Identifier: BSD-3-Clause */
/* eventfd.c - driver: eventfds
 *
 * The counter shows in fdinfo, and since Linux 6.5 whether reads take it down by one.  Before that only a
 * read tells: it is done in dunlin, on the description that it shares with the held program, and put back.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>

#include "base/util.h"
#include "resource/drivers.h"
#include "resource/fileopen.h"
#include "resource/filetable.h"
#include "resource/message.h"

#define COUNT_MAX (UINT64_MAX - 1) /* what write(2) can reach */

static bool match(const struct dn_file_probe *probe)
{
	return !strcmp(probe->link, "anon_inode:[eventfd]") && !(probe->flags & O_PATH);
}

/* The tree is held: nobody else reads, and what others write meanwhile is added.  Takes the counter to 2 at
 * least, reads, and puts back what was there. */
int dn_eventfd_try(int fd, uint64_t count, bool *ret_semaphore)
{
	uint64_t more = count < 2 ? 2 - count : 0, got, back;

	if (more && write(fd, &more, sizeof(more)) != sizeof(more))
		return -errno;
	if (read(fd, &got, sizeof(got)) != sizeof(got))
		return -errno;
	bool semaphore = *ret_semaphore = got == 1;
	if (semaphore && !more)
		back = 1;
	else if (!semaphore)
		back = count;
	else
		for (back = 0; more > 1; more--) /* one was read already */
			if (read(fd, &got, sizeof(got)) != sizeof(got))
				return -errno;
	return back && write(fd, &back, sizeof(back)) != sizeof(back) ? -errno : 0;
}

static int capture(struct dn_capture *c, const struct dn_file_probe *probe, Dn__File *file, struct dn_error *err)
{
	char whose[96];
	bool semaphore = false;
	int r = 0;

	const char *count = dn_probe_field(probe, "eventfd-count"), *kind = dn_probe_field(probe, "eventfd-semaphore");
	if (!count)
		return dn_error_say(err, -EINVAL, "%s an eventfd: cannot understand its fdinfo",
				    dn_probe_whose(probe, whose));
	Dn__EventFile *m = file->event = dn_message_new(&dn__event_file__descriptor);
	if (!m)
		return dn_error_set(err, -ENOMEM, "cannot list eventfds");
	m->count = strtoull(count, NULL, 16);
	if (m->count > COUNT_MAX)
		return dn_error_refuse(err, "%s an eventfd whose counter has overflowed", dn_probe_whose(probe, whose));
	if (kind)
		semaphore = atoi(kind) != 0;
	else
		r = dn_eventfd_try(probe->fd, m->count, &semaphore);
	m->semaphore = semaphore;
	return r < 0 ? dn_error_set(err, r, "%s an eventfd: cannot read it", dn_probe_whose(probe, whose)) : 0;
}

static int check(struct dn_restore *r, const Dn__File *file, struct dn_error *err)
{
	if (!file->event || file->event->count > COUNT_MAX)
		return dn_error_say(err, -EINVAL, "file %u of the image is no eventfd", file->id);
	return 0;
}

static int restore(struct dn_restore *r, const Dn__File *file, int *ret_fd, struct dn_error *err)
{
	const Dn__EventFile *m = file->event;

	_cleanup_fd_ int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | (m->semaphore ? EFD_SEMAPHORE : 0));
	if (fd < 0)
		return dn_error_set(err, -errno, "cannot make an eventfd");
	if (m->count && write(fd, &m->count, sizeof(m->count)) != sizeof(m->count))
		return dn_error_set(err, -errno, "cannot set the counter of an eventfd");
	*ret_fd = DN_STEAL_FD(fd);
	return 0;
}

const struct dn_file_driver dn_driver_eventfd = {
	.name = "eventfd",
	.match = match,
	.capture = capture,
	.check = check,
	.restore = restore,
};
