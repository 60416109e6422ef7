/* SPDX-License-Identifier: BSD-3-Clause */
/* epoll.c - driver: epolls
 *
 * Theory of operation: fdinfo lists what an epoll watches, by the numbers that the files had when they were added; the
 * number may be closed since, or another file's.  kcmp tells which description it is.  The watches are added again
 * at the very end of a restart, when all files are there and ready as they were: dunlin brings the file to the
 * number for that moment, in its own table, since the kernel keeps the number only to tell watches apart.
 *
 * A signalfd is ready for whoever looks, and wakes up who was looking when it was added: such a watch is added by the
 * process itself, as soon as it has its descriptors.
 *
 * What is ready is found out anew by adding: a level-triggered watch cannot tell, one that is edge-triggered may
 * report an edge once more (which epoll(7) allows).  A one-shot that has fired must stay silent.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

#include "base/log.h"
#include "base/proc.h"
#include "base/util.h"
#include "resource/drivers.h"
#include "resource/fileopen.h"
#include "resource/filetable.h"
#include "resource/message.h"

/* Bits of a watch that are no events (the kernel's EP_PRIVATE_BITS). */
#define PRIVATE_BITS (EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE)
#define ALL_EVENTS (EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP)

/* ================= capture ================= */

static bool match(const struct dn_file_probe *probe)
{
	return !strcmp(probe->link, "anon_inode:[eventpoll]") && !(probe->flags & O_PATH);
}

static int capture(struct dn_capture *c, const struct dn_file_probe *probe, Dn__File *file, struct dn_error *err)
{
	file->epoll = dn_message_new(&dn__epoll_file__descriptor);
	return file->epoll ? 0 : dn_error_set(err, -ENOMEM, "cannot list epolls");
}

/* Is descriptor number of process p what the watch is on?  nth: of those with the same number. */
static bool is_watched(const struct dn_description *epoll, const Dn__EpollWatch *w, uint32_t nth,
		       const struct dn_process *p, int number)
{
	struct kcmp_epoll_slot slot = { .efd = (uint32_t)epoll->number, .tfd = w->number, .toff = nth };

	return syscall(SYS_kcmp, p->pid, epoll->process->pid, KCMP_EPOLL_TFD, number, &slot) == 0;
}

/* Sets w->file. */
static int find_watched(struct dn_capture *c, const struct dn_description *epoll, Dn__EpollWatch *w, uint32_t nth,
			uint64_t ino, struct dn_error *err)
{
	struct dn_file_table *t = c->files;
	uint32_t index = 0;
	int r = 0;

	/* Nearly always it has that number still. */
	if (is_watched(epoll, w, nth, epoll->process, (int)w->number))
		r = dn_description_find(c, epoll->process, (int)w->number, &index, err);
	for (size_t i = 0; i < t->count && r == 0; i++) {
		const struct dn_description *d = &t->descriptions[i];
		if (d->number < 0 || d->ino != ino || !is_watched(epoll, w, nth, d->process, d->number))
			continue;
		index = (uint32_t)i;
		r = 1;
	}
	if (r < 0)
		return r;
	if (r == 0)
		return dn_error_refuse(err,
				       "process %d has descriptor %d open on an epoll that watches a file (once its "
				       "descriptor %u) which nobody in the tree has open any more",
				       epoll->process->pid, epoll->number, w->number);
	const struct dn_description *watched = &t->descriptions[index];
	if (watched->driver == &dn_driver_signalfd && !is_watched(epoll, w, nth, epoll->process, (int)w->number))
		return dn_error_refuse(err,
				       "process %d has descriptor %d open on an epoll that watches a signalfd, which "
				       "has left its descriptor %u since",
				       epoll->process->pid, epoll->number, w->number);
	w->file = watched->file->id;
	return 0;
}

static int capture_watches(struct dn_capture *c, const struct dn_description *d, struct dn_error *err)
{
	_cleanup_text_ struct dn_text text = {};
	Dn__EpollFile *m = d->file->epoll;

	_cleanup_fd_ int fd = dn_description_get(d, err);
	if (fd < 0)
		return fd;
	int r = dn_read_text(&text, err, "/proc/self/fdinfo/%d", fd);
	uint32_t nth = 0;
	for (const char *line = text.data; r == 0 && line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		unsigned long long data, ino;
		unsigned int number, events;
		if (sscanf(line, "tfd: %u events: %x data: %llx pos:%*d ino:%llx", &number, &events, &data, &ino) != 4)
			continue;
		/* Sorted by the kernel: watches of one number need not stand together. */
		nth = 0;
		for (size_t i = 0; i < m->n_watches; i++)
			nth += m->watches[i]->number == number;
		Dn__EpollWatch *w = dn_message_add(&m->watches, &m->n_watches, &dn__epoll_watch__descriptor);
		if (!w)
			return dn_error_set(err, -ENOMEM, "cannot list what an epoll watches");
		*w = (Dn__EpollWatch){ .base = w->base, .number = number, .events = events, .data = data };
		r = find_watched(c, d, w, nth, ino, err);
	}
	return r;
}

static int capture_end(struct dn_capture *c, struct dn_error *err)
{
	int r = 0;

	for (size_t i = 0; i < c->files->count && r == 0; i++)
		if (c->files->descriptions[i].driver == &dn_driver_epoll)
			r = capture_watches(c, &c->files->descriptions[i], err);
	return r;
}

/* ================= restore ================= */

static int check(struct dn_restore *r, const Dn__File *file, struct dn_error *err)
{
	return file->epoll ? 0 : dn_error_say(err, -EINVAL, "file %u of the image is no epoll", file->id);
}

static int restore(struct dn_restore *r, const Dn__File *file, int *ret_fd, struct dn_error *err)
{
	*ret_fd = epoll_create1(EPOLL_CLOEXEC);
	return *ret_fd < 0 ? dn_error_set(err, -errno, "cannot make an epoll") : 0;
}

/* Whose files are watched from inside: only signalfds are. */
static bool is_inner(struct dn_restore *r, const Dn__EpollWatch *w)
{
	const struct dn_open_file *f = dn_open_file(r->files, w->file);

	return f && f->driver == &dn_driver_signalfd;
}

/* The file that a process has at a number; 0: none. */
static uint32_t file_at(const Dn__Process *p, uint32_t number)
{
	for (size_t i = 0; i < p->n_fds; i++)
		if (p->fds[i]->number == number)
			return p->fds[i]->file;
	return 0;
}

static bool has_file(const Dn__Process *p, uint32_t file)
{
	for (size_t i = 0; i < p->n_fds; i++)
		if (p->fds[i]->file == file)
			return true;
	return false;
}

/* Processes that share an epoll since fork: the watch is made by the first that can. */
static bool is_first(struct dn_restore *r, const Dn__Process *process, const Dn__File *epoll, const Dn__EpollWatch *w)
{
	size_t count;
	const struct dn_image_process *all = dn_image_processes(r->image, &count);

	for (size_t i = 0; i < count; i++)
		if (has_file(all[i].process, epoll->id) && file_at(all[i].process, w->number) == w->file)
			return all[i].process == process;
	return false;
}

static int settle(struct dn_restore *r, struct dn_process *seed, const Dn__Process *process, const Dn__Fd *fd,
		  const Dn__File *file, struct dn_error *err)
{
	const Dn__EpollFile *m = file->epoll;
	struct dn_batch b;

	for (size_t i = 0; i < process->n_fds && process->fds[i] != fd; i++)
		if (process->fds[i]->file == fd->file) /* a duplicate: done */
			return 0;
	for (size_t i = 0; i < m->n_watches; i++) {
		const Dn__EpollWatch *w = m->watches[i];
		struct epoll_event event = { .events = w->events, .data.u64 = w->data };
		if (!is_inner(r, w) || !is_first(r, process, file, w))
			continue;
		dn_batch_begin(&b, seed->threads[0]->remote);
		dn_batch_call(&b, "watch a signalfd by epoll", SYS_epoll_ctl, fd->number, EPOLL_CTL_ADD, w->number,
			      dn_batch_put(&b, &event, sizeof(event)));
		int n = dn_batch_run(&b, err);
		if (n < 0)
			return n;
	}
	return 0;
}

static bool has_fired(const Dn__EpollWatch *w)
{
	return !(w->events & ~(uint32_t)PRIVATE_BITS) && w->events & EPOLLONESHOT;
}

/* Nothing but an event disarms a one-shot.  Where there is none to be had it stays armed for errors, as the
 * kernel cannot be told otherwise. */
static int add_fired(int epoll, int number, const Dn__EpollWatch *w)
{
	struct epoll_event event = { .events = w->events | ALL_EVENTS, .data.u64 = w->data }, got;

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, number, &event) < 0)
		return -errno;
	if (epoll_wait(epoll, &got, 1, 0) == 1)
		return 0;
	event.events = w->events;
	return epoll_ctl(epoll, EPOLL_CTL_MOD, number, &event) < 0 ? -errno : 0;
}

static int add(int epoll, int number, const Dn__EpollWatch *w, bool fired)
{
	struct epoll_event event = { .events = w->events, .data.u64 = w->data };

	if (fired)
		return add_fired(epoll, number, w);
	return epoll_ctl(epoll, EPOLL_CTL_ADD, number, &event) < 0 ? -errno : 0;
}

/* Adds fd as if it had the number of the watch; what has it meanwhile is put aside. */
static int add_at_number(int epoll, int fd, const Dn__EpollWatch *w, bool fired)
{
	int number = (int)w->number;

	if (fd == number)
		return add(epoll, fd, w, fired);
	_cleanup_fd_ int aside = fcntl(number, F_DUPFD_CLOEXEC, 3);
	int flag = aside < 0 ? 0 : fcntl(number, F_GETFD);
	if (dup3(fd, number, O_CLOEXEC) < 0)
		return -errno;
	int r = add(epoll == number ? aside : epoll, number, w, fired);
	if (aside < 0)
		close(number);
	else if (dup3(aside, number, flag & FD_CLOEXEC ? O_CLOEXEC : 0) < 0 && r == 0)
		r = -errno;
	return r;
}

static int start(struct dn_restore *r, const Dn__File *file, int fd, struct dn_error *err)
{
	const Dn__EpollFile *m = file->epoll;
	bool alone = true;

	/* To dunlin a signalfd is not ready, and looking would make the kernel forget that it is. */
	for (size_t i = 0; i < m->n_watches; i++)
		alone = alone && !is_inner(r, m->watches[i]);
	/* Those that have fired first: while they are disarmed nothing else may be ready. */
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < m->n_watches; i++) {
			const Dn__EpollWatch *w = m->watches[i];
			const struct dn_open_file *f = dn_open_file(r->files, w->file);
			if ((alone && has_fired(w)) != (pass == 0) || is_inner(r, w))
				continue;
			int code = f && f->fd >= 0 ? add_at_number(fd, f->fd, w, pass == 0) : -ENOENT;
			/* A terminal that has become a file: it is always ready, and cannot be watched. */
			if (code == -EPERM && f->message->outside) {
				dn_warn("%s, which the program waits for, is joined to a file that cannot be waited "
					"for",
					f->message->outside->name);
				continue;
			}
			if (code < 0)
				return dn_error_set(err, code, "cannot watch %s as descriptor %u by epoll",
						    f ? dn_file_name(f->message) : "a file", w->number);
		}
	}
	return 0;
}

const struct dn_file_driver dn_driver_epoll = {
	.name = "epoll",
	.match = match,
	.capture = capture,
	.capture_end = capture_end,
	.check = check,
	.restore = restore,
	.settle = settle,
	.start = start,
};
