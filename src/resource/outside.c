/* SPDX-License-Identifier: BSD-3-Clause */
/* outside.c - driver: terminals and pipes of the world outside, as standard streams
 *
 * What a program got as its standard input, output and error from outside the tree cannot come along:
 * it is joined to restart's own.  Descriptor n (0, 1, 2) is joined to restart's n, even where one
 * description stood at several of them (a shell opens the terminal once), so that the streams of a
 * restart can be redirected as people expect.  The same description at other numbers (shells save
 * descriptors high up) goes where the program's output went, or where it stood first.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <termios.h>

#include "base/log.h"
#include "resource/drivers.h"
#include "resource/fileopen.h"
#include "resource/filetable.h"
#include "resource/message.h"

static bool match(const struct dn_file_probe *probe)
{
	struct termios tio;

	return S_ISCHR(probe->st.st_mode) && !(probe->flags & O_PATH) && tcgetattr(probe->fd, &tio) == 0;
}

static int capture(struct dn_capture *c, const struct dn_file_probe *probe, Dn__File *file, struct dn_error *err)
{
	file->outside = dn_message_new(&dn__outside_file__descriptor);
	if (!file->outside || dn_message_string(&file->outside->name, probe->link) < 0)
		return dn_error_set(err, -ENOMEM, "cannot list terminals");
	return 0;
}

static unsigned int choose_standard(const struct dn_description *d)
{
	if ((d->file->flags & O_ACCMODE) != O_RDONLY)
		for (unsigned int i = 1; i <= 2; i++)
			if (d->standard & 1U << i)
				return i;
	return (unsigned int)__builtin_ctz(d->standard);
}

static int refuse(const struct dn_description *d, struct dn_error *err)
{
	const struct dn_file_probe probe = { .process = d->process, .number = d->number };
	const char *name = d->file->outside->name; /* a FIFO is never refused: it has a path */
	char whose[96];

	/* Mostly a leftover of whoever started the program. */
	return dn_error_refuse(err, "%s %s, %s; if the program does not need it, start it with %d>&-",
			       dn_probe_whose(&probe, whose), name,
			       strncmp(name, "pipe:", 5) ? "a terminal that is not a standard stream of the program"
							 : "whose other end is not in the tree",
			       d->number);
}

static int capture_end(struct dn_capture *c, struct dn_error *err)
{
	for (size_t i = 0; i < c->files->count; i++) {
		struct dn_description *d = &c->files->descriptions[i];
		if (d->driver != &dn_driver_outside)
			continue;
		if (!d->standard)
			return refuse(d, err);
		d->file->outside->standard = choose_standard(d);
	}
	return 0;
}

static int check(struct dn_restore *r, const Dn__File *file, struct dn_error *err)
{
	if (!file->outside || file->outside->standard > 2)
		return dn_error_say(err, -EINVAL, "file %u of the image is no standard stream", file->id);
	return 0;
}

/* A program that asked not to be made to wait must not be, wherever it reads and writes now. */
static void set_nonblocking(struct dn_restore *r, const Dn__File *file)
{
	const struct dn_open_file *f = dn_open_file(r->files, file->id);

	for (unsigned int i = 0; i < 3; i++) {
		int flags = r->standard[i] < 0 ? -1 : fcntl(r->standard[i], F_GETFL);
		if (flags >= 0 && (i == file->outside->standard || dn_stands_at(r->files, f, i)))
			fcntl(r->standard[i], F_SETFL, flags | O_NONBLOCK);
	}
}

static int restore(struct dn_restore *r, const Dn__File *file, int *ret_fd, struct dn_error *err)
{
	int standard = r->standard[file->outside->standard];

	if (standard < 0) {
		dn_warn("restart has no descriptor %u to join to %s: /dev/null takes its place",
			file->outside->standard, file->outside->name);
		*ret_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
		return *ret_fd < 0 ? dn_error_set(err, -errno, "cannot open /dev/null") : 0;
	}
	*ret_fd = fcntl(standard, F_DUPFD_CLOEXEC, 3);
	if (*ret_fd < 0)
		return dn_error_set(err, -errno, "cannot duplicate descriptor %u", file->outside->standard);
	if (file->flags & O_NONBLOCK)
		set_nonblocking(r, file);
	return 0;
}

const struct dn_file_driver dn_driver_outside = {
	.name = "outside",
	.match = match,
	.capture = capture,
	.capture_end = capture_end,
	.check = check,
	.restore = restore,
	.keeps_position = true,
};
