/* SPDX-License-Identifier: BSD-3-Clause */
/* pty.c - driver: pseudo-terminals whose master is in the tree
 *
 * Theory of operation: the master tells all: index, modes, window, whose controlling terminal it is.  At restart
 * masters are opened until one has the index, slaves by their path; sessions get their terminal when their leader
 * has just made them (dn_files_lead_session), before it has children, which inherit it.  What waits in either
 * direction cannot be looked at without taking it away: then a checkpoint fails, and may be tried again.  (Half a
 * line, typed but not sent, does not show; it is lost at a restart.)
 */
#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/tty.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "base/log.h"
#include "base/util.h"
#include "resource/drivers.h"
#include "resource/fileopen.h"
#include "resource/filetable.h"
#include "resource/message.h"

#define MASTER makedev(5, 2)
#define FIRST_MAJOR 136u /* of slaves: 136 to 143 */
#define INDEX_MAX 4096u	 /* masters that are opened to find the right one */

/* ================= capture ================= */

static bool is_slave(dev_t rdev)
{
	return major(rdev) >= FIRST_MAJOR && major(rdev) < FIRST_MAJOR + 8;
}

static bool match(const struct dn_file_probe *probe)
{
	return S_ISCHR(probe->st.st_mode) && !(probe->flags & O_PATH) &&
	       (probe->st.st_rdev == MASTER || is_slave(probe->st.st_rdev));
}

static uint32_t ask_number(int fd, unsigned long what)
{
	int value = 0;

	return ioctl(fd, what, &value) == 0 && value > 0 ? (uint32_t)value : 0;
}

static int capture_master(const struct dn_file_probe *probe, Dn__PtyFile *m, struct dn_error *err)
{
	struct termios2 modes;
	struct winsize window;
	struct pollfd ended = { .fd = probe->fd };
	char whose[96], path[32];
	struct stat st;
	int waiting = 0;

	if (ioctl(probe->fd, TIOCGPTN, &m->index) < 0 || ioctl(probe->fd, TCGETS2, &modes) < 0 ||
	    ioctl(probe->fd, TIOCGWINSZ, &window) < 0)
		return dn_error_set(err, -errno, "%s %s: cannot look at it", dn_probe_whose(probe, whose), probe->link);
	if (ioctl(probe->fd, FIONREAD, &waiting) == 0 && waiting)
		return dn_error_say(err, -EAGAIN,
				    "%s %s, with output that was not read yet: it would be lost; try again a moment "
				    "later",
				    dn_probe_whose(probe, whose), probe->link);
	snprintf(path, sizeof(path), "/dev/pts/%u", m->index);
	if (stat(path, &st) < 0)
		return dn_error_refuse(err, "%s the master of a pseudo-terminal that is not at %s",
				       dn_probe_whose(probe, whose), path);
	m->uid = st.st_uid;
	m->gid = st.st_gid;
	m->mode = st.st_mode & 07777;
	m->packets = ask_number(probe->fd, TIOCGPKT);
	m->locked = ask_number(probe->fd, TIOCGPTLCK);
	m->exclusive = ask_number(probe->fd, TIOCGEXCL);
	m->hung_up = poll(&ended, 1, 0) == 1 && ended.revents & POLLHUP;
	m->session = ask_number(probe->fd, TIOCGSID);
	m->foreground = m->session ? ask_number(probe->fd, TIOCGPGRP) : 0;
	if (dn_message_bytes(&m->termios, &modes, sizeof(modes)) < 0 ||
	    dn_message_bytes(&m->window, &window, sizeof(window)) < 0)
		return dn_error_set(err, -ENOMEM, "cannot list terminals");
	return 0;
}

static int capture(struct dn_capture *c, const struct dn_file_probe *probe, Dn__File *file, struct dn_error *err)
{
	Dn__PtyFile *m = file->pty = dn_message_new(&dn__pty_file__descriptor);
	char whose[96];
	int waiting = 0;

	if (!m)
		return dn_error_set(err, -ENOMEM, "cannot list terminals");
	if (probe->st.st_rdev == MASTER)
		return capture_master(probe, m, err);
	m->index = (major(probe->st.st_rdev) - FIRST_MAJOR) * 256 + minor(probe->st.st_rdev);
	if (ioctl(probe->fd, FIONREAD, &waiting) < 0)
		return dn_error_refuse(err, "%s %s, which was hung up", dn_probe_whose(probe, whose), probe->link);
	file->pty->packets = waiting; /* until it is known to be of the tree */
	return 0;
}

static uint32_t master_of(const struct dn_capture *c, const Dn__PtyFile *slave)
{
	for (size_t i = 0; i < c->files->count; i++) {
		const struct dn_description *d = &c->files->descriptions[i];
		if (d->driver == &dn_driver_pty && d->file->pty->termios.len && d->file->pty->index == slave->index)
			return d->file->id;
	}
	return 0;
}

/* The terminal that the program runs on. */
static int make_outside(struct dn_description *d, struct dn_error *err)
{
	Dn__File *f = d->file;
	char name[32];

	snprintf(name, sizeof(name), "/dev/pts/%u", f->pty->index);
	f->outside = dn_message_new(&dn__outside_file__descriptor);
	if (!f->outside || dn_message_string(&f->outside->name, name) < 0 ||
	    dn_message_string(&f->driver, dn_driver_outside.name) < 0)
		return dn_error_set(err, -ENOMEM, "cannot list terminals");
	dn__pty_file__free_unpacked(f->pty, NULL);
	f->pty = NULL;
	d->driver = &dn_driver_outside;
	return 0;
}

static int capture_end(struct dn_capture *c, struct dn_error *err)
{
	int r = 0;

	for (size_t i = 0; i < c->files->count && r == 0; i++) {
		struct dn_description *d = &c->files->descriptions[i];
		Dn__PtyFile *m = d->file->pty;
		if (d->driver != &dn_driver_pty || m->termios.len)
			continue;
		bool waiting = m->packets;
		m->packets = false;
		m->master = master_of(c, m);
		if (!m->master)
			r = make_outside(d, err);
		else if (waiting)
			r = dn_error_say(err, -EAGAIN,
					 "process %d has descriptor %d open on /dev/pts/%u, with input that was not "
					 "read yet: it would be lost; try again a moment later",
					 d->process->pid, d->number, m->index);
	}
	return r;
}

/* ================= restore ================= */

static const Dn__PtyFile *pty_of(struct dn_restore *r, uint32_t id)
{
	const struct dn_open_file *f = id ? dn_open_file(r->files, id) : NULL;

	return f ? f->message->pty : NULL;
}

static int check(struct dn_restore *r, const Dn__File *file, struct dn_error *err)
{
	const Dn__PtyFile *m = file->pty, *master = m ? pty_of(r, m->master) : NULL;
	struct stat st;
	char path[32];

	if (!m || m->index >= INDEX_MAX || (m->master && (!master || master->master || master->index != m->index)) ||
	    (!m->master && (m->termios.len != sizeof(struct termios2) || m->window.len != sizeof(struct winsize))))
		return dn_error_say(err, -EINVAL, "file %u of the image is no pseudo-terminal", file->id);
	snprintf(path, sizeof(path), "/dev/pts/%u", m->index);
	if (!m->master && lstat(path, &st) == 0)
		return dn_error_say(err, -EADDRINUSE,
				    "the program's pseudo-terminal %s is another program's now: end that, or restart "
				    "where /dev/pts is another",
				    path);
	return 0;
}

/* The kernel gives the lowest number that is free.  -errno. */
static int open_index(uint32_t index)
{
	int others[INDEX_MAX], found = -EADDRINUSE;
	size_t count = 0;

	while (count < INDEX_MAX) {
		uint32_t got;
		int fd = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
		if (fd < 0 || ioctl(fd, TIOCGPTN, &got) < 0) {
			found = -errno;
			if (fd >= 0)
				close(fd);
			break;
		}
		if (got == index) {
			found = fd;
			break;
		}
		others[count++] = fd;
		if (got > index)
			break;
	}
	while (count > 0)
		close(others[--count]);
	return found;
}

static int make_master(const Dn__PtyFile *m, int *ret_fd, struct dn_error *err)
{
	char path[32];
	int unlocked = 0;

	snprintf(path, sizeof(path), "/dev/pts/%u", m->index);
	_cleanup_fd_ int fd = open_index(m->index);
	if (fd < 0)
		return dn_error_set(err, fd, "cannot make the pseudo-terminal %s", path);
	if (ioctl(fd, TIOCSPTLCK, &unlocked) < 0 || ioctl(fd, TCSETS2, m->termios.data) < 0 ||
	    ioctl(fd, TIOCSWINSZ, m->window.data) < 0)
		return dn_error_set(err, -errno, "cannot set up %s", path);
	if ((chown(path, m->uid, m->gid) < 0 && errno != EPERM) || chmod(path, m->mode & 07777) < 0)
		return dn_error_set(err, -errno, "cannot give %s to user %u", path, m->uid);
	if (m->hung_up) {
		int slave = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
		if (slave >= 0)
			close(slave);
	}
	*ret_fd = DN_STEAL_FD(fd);
	return 0;
}

/* Whichever end comes first. */
static int ensure_master(struct dn_restore *r, uint32_t id, struct dn_error *err)
{
	struct dn_open_file *f = dn_open_file(r->files, id);

	return f->made >= 0 || f->fd >= 0 ? 0 : make_master(f->message->pty, &f->made, err);
}

static int restore(struct dn_restore *r, const Dn__File *file, int *ret_fd, struct dn_error *err)
{
	const Dn__PtyFile *m = file->pty;
	char path[32];

	int n = ensure_master(r, m->master ? m->master : file->id, err);
	if (n < 0)
		return n;
	if (!m->master) {
		*ret_fd = DN_STEAL_FD(dn_open_file(r->files, file->id)->made);
		return 0;
	}
	snprintf(path, sizeof(path), "/dev/pts/%u", m->index);
	*ret_fd = open(path, (dn_open_flags(file->flags) & ~O_ASYNC) | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	return *ret_fd < 0 ? dn_error_set(err, -errno, "cannot open %s", path) : 0;
}

int dn_files_lead_session(struct dn_restore *r, struct dn_process *seed, struct dn_error *err)
{
	struct dn_open_files *o = r->files;
	struct dn_batch b;
	char path[32];

	for (size_t i = 0; i < o->count; i++) {
		const Dn__PtyFile *m = o->files[i].message->pty;
		if (!m || m->master || m->session != (uint32_t)seed->pid)
			continue;
		snprintf(path, sizeof(path), "/dev/pts/%u", m->index);
		dn_batch_begin(&b, seed->threads[0]->remote);
		uint64_t at = dn_batch_put(&b, path, sizeof(path));
		size_t opened = dn_batch_call(&b, "open its controlling terminal", SYS_openat, (uint64_t)AT_FDCWD, at,
					      O_RDWR | O_CLOEXEC | O_NONBLOCK);
		int n = dn_batch_run(&b, err);
		if (n < 0)
			return dn_error_wrap(err, "process %d", seed->pid);
		int fd = (int)dn_batch_result(&b, opened);
		dn_batch_begin(&b, seed->threads[0]->remote);
		dn_batch_call(&b, "close its controlling terminal", SYS_close, (uint64_t)fd);
		n = dn_batch_run(&b, err);
		if (n < 0)
			return dn_error_wrap(err, "process %d", seed->pid);
	}
	return 0;
}

/* By the leader of the session, as only a member of it may. */
static int set_foreground(struct dn_restore *r, const Dn__PtyFile *m, struct dn_error *err)
{
	struct dn_process *leader = NULL;
	struct dn_batch b;

	for (size_t i = 0; i < r->seed_count; i++)
		if (r->seeds[i] && (uint32_t)r->seeds[i]->pid == m->session)
			leader = r->seeds[i];
	if (!leader || !leader->threads[0]->remote)
		return 0;
	dn_batch_begin(&b, leader->threads[0]->remote);
	size_t opened = dn_batch_call(&b, "open its controlling terminal", SYS_openat, (uint64_t)AT_FDCWD,
				      dn_batch_put(&b, "/dev/tty", sizeof("/dev/tty")),
				      O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	int n = dn_batch_run(&b, err);
	if (n < 0)
		return n;
	int fd = (int)dn_batch_result(&b, opened), group = (int)m->foreground;
	dn_batch_begin(&b, leader->threads[0]->remote);
	dn_batch_try(&b, "set the foreground group", SYS_ioctl, (uint64_t)fd, TIOCSPGRP,
		     dn_batch_put(&b, &group, sizeof(group)));
	dn_batch_call(&b, "close its controlling terminal", SYS_close, (uint64_t)fd);
	n = dn_batch_run(&b, err);
	if (n == 0 && dn_batch_result(&b, 0) < 0)
		dn_warn("the foreground group %d of /dev/pts/%u is gone", group, m->index);
	return n;
}

static int start(struct dn_restore *r, const Dn__File *file, int fd, struct dn_error *err)
{
	const Dn__PtyFile *m = file->pty;
	int on = 1;

	if (m->master)
		return 0;
	if ((m->packets && ioctl(fd, TIOCPKT, &on) < 0) || (m->locked && ioctl(fd, TIOCSPTLCK, &on) < 0) ||
	    (m->exclusive && ioctl(fd, TIOCEXCL) < 0))
		return dn_error_set(err, -errno, "cannot set up /dev/pts/%u", m->index);
	return m->session && m->foreground ? set_foreground(r, m, err) : 0;
}

const struct dn_file_driver dn_driver_pty = {
	.name = "pty",
	.match = match,
	.capture = capture,
	.capture_end = capture_end,
	.check = check,
	.restore = restore,
	.start = start,
};
