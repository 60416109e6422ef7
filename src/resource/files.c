/* SPDX-License-Identifier: BSD-3-Clause */
/* files.c - the table of drivers of open files
 *
 * The order matters at capture: each driver takes what is its own, `regular` takes all other paths; and
 * `pipe` finds out which pipes are those of `outside`.  At the end of a capture `unix` comes first, since what is on
 * its way through sockets belongs to the others.
 */
#include <string.h>

#include "resource/drivers.h"
#include "resource/fileopen.h"

const struct dn_file_driver *const dn_file_drivers[] = {
	&dn_driver_unix,     &dn_driver_inet,	&dn_driver_memfd,   &dn_driver_proc,
	&dn_driver_pipe,     &dn_driver_fifo,	&dn_driver_timerfd, &dn_driver_eventfd,
	&dn_driver_signalfd, &dn_driver_pidfd,	&dn_driver_epoll,   &dn_driver_pty,
	&dn_driver_outside,  &dn_driver_device, &dn_driver_regular, NULL,
};

const struct dn_file_driver *dn_file_driver_named(const char *name)
{
	for (size_t i = 0; dn_file_drivers[i]; i++)
		if (!strcmp(dn_file_drivers[i]->name, name))
			return dn_file_drivers[i];
	return NULL;
}

const char *dn_file_name(const Dn__File *file)
{
	if (file->path)
		return file->path->path;
	if (file->outside)
		return file->outside->name;
	if (file->proc)
		return file->proc->path;
	if (file->pipe && file->pipe->path[0])
		return file->pipe->path;
	return file->driver;
}
