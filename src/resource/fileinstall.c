/* SPDX-License-Identifier: BSD-3-Clause */
/* fileinstall.c - restart: a process brings its inherited descriptors to their numbers
 *
 * All by remote calls in the process: dup3 to each number (or only the flag, where it waits at its
 * home), close_range over the gaps between them, then locks, owners and signals.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/log.h"
#include "base/util.h"
#include "resource/drivers.h"
#include "resource/fileopen.h"

#define CALLS_PER_BATCH 256
#define DATA_PER_CALL 64
_Static_assert(CALLS_PER_BATCH <= DN_LEADER_SLOT_CALLS && CALLS_PER_BATCH * DATA_PER_CALL <= DN_LEADER_SLOT_DATA,
	       "a batch fits the slot of a leader");

struct installer {
	struct dn_restore *restore;
	struct dn_process *seed;
	const Dn__Process *message;
	struct dn_batch batch;
	size_t queued;
};

static int flush(struct installer *in, struct dn_error *err)
{
	if (!in->queued)
		return 0;
	int r = dn_batch_run(&in->batch, err);
	dn_batch_begin(&in->batch, in->seed->threads[0]->remote);
	in->queued = 0;
	return r < 0 ? dn_error_wrap(err, "process %u", in->message->pid) : 0;
}

/* Room for one more call with up to DATA_PER_CALL bytes of data. */
static int make_room(struct installer *in, struct dn_error *err)
{
	int r = in->queued >= CALLS_PER_BATCH ? flush(in, err) : 0;

	in->queued++;
	return r;
}

/* ---- late files ---- */

static int open_late(struct dn_restore *r, struct dn_open_files *o, struct dn_error *err)
{
	/* Sockets last: others may be on their way through them. */
	for (size_t i = 0; i < 2 * o->count && !o->late_open; i++) {
		bool sockets = i >= o->count;
		struct dn_open_file *f = &o->files[sockets ? i - o->count : i];
		int fd = -1;
		if (!f->late || (f->driver == &dn_driver_unix) != sockets)
			continue;
		int n = f->driver->restore(r, f->message, &fd, err);
		if (n < 0)
			return n;
		int flags = dn_open_flags(f->message->flags) & (O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME);
		if (!(f->message->flags & O_PATH) &&
		    (fcntl(fd, F_SETFL, flags) < 0 ||
		     (f->message->position && lseek(fd, f->message->position, SEEK_SET) < 0 && errno != ESPIPE)))
			n = dn_error_set(err, -errno, "cannot go to position %lld in %s",
					 (long long)f->message->position, dn_file_name(f->message));
		if (n == 0 && dup3(fd, f->fd, O_CLOEXEC) < 0)
			n = dn_error_set(err, -errno, "cannot duplicate a descriptor");
		close(fd);
		if (n < 0)
			return n;
	}
	o->late_open = true;
	return 0;
}

/* Sends a descriptor; the process receives it, brings it to the place where it should have been. */
static int send_late(struct installer *in, const struct dn_open_file *f, struct dn_error *err)
{
	struct dn_open_files *o = in->restore->files;
	struct dn_batch *b = &in->batch;
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { .align = {
			      .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
	char byte = 0;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_LEN(sizeof(int)),
	};
	void *local = NULL;
	int fd = -1;

	int r = flush(in, err);
	if (r < 0)
		return r;
	memcpy(CMSG_DATA(&control.align), &f->fd, sizeof(int));
	if (sendmsg(o->post[0], &message, 0) < 0)
		return dn_error_set(err, -errno, "cannot send %s to process %u", dn_file_name(f->message),
				    in->message->pid);
	uint64_t remote_control = dn_batch_alloc(b, sizeof(control), &local);
	iov.iov_base = (void *)dn_batch_alloc(b, 16, &(void *){ NULL });
	message.msg_iov = (void *)dn_batch_put(b, &iov, sizeof(iov));
	message.msg_control = (void *)remote_control;
	message.msg_controllen = sizeof(control);
	dn_batch_call(b, "receive a descriptor", SYS_recvmsg, (uint64_t)o->post[1],
		      dn_batch_put(b, &message, sizeof(message)), MSG_CMSG_CLOEXEC);
	in->queued++;
	r = dn_batch_run(b, err);
	if (r == 0) {
		memcpy(&control, local, sizeof(control));
		memcpy(&fd, CMSG_DATA(&control.align), sizeof(int));
	}
	dn_batch_begin(b, in->seed->threads[0]->remote);
	in->queued = 0;
	if (r == 0 && (control.align.cmsg_len != CMSG_LEN(sizeof(int)) || control.align.cmsg_type != SCM_RIGHTS))
		r = dn_error_say(err, -EIO, "received no descriptor");
	if (r < 0)
		return dn_error_wrap(err, "process %u: cannot get %s", in->message->pid, dn_file_name(f->message));
	in->queued = 2;
	dn_batch_call(b, "bring a descriptor to its place", SYS_dup3, (uint64_t)fd, (uint64_t)f->fd, O_CLOEXEC);
	dn_batch_call(b, "close a descriptor", SYS_close, (uint64_t)fd);
	return flush(in, err);
}

/* ---- numbers ---- */

/* Where descriptor `number` of file f waits. */
static int source_of(struct dn_restore *r, const struct dn_open_file *f, uint32_t number)
{
	if (f->message->outside && number < 3 && r->standard[number] >= 0)
		return r->standard[number];
	return f->fd;
}

static int place_all(struct installer *in, struct dn_error *err)
{
	struct dn_open_files *o = in->restore->files;
	const Dn__Process *m = in->message;
	uint64_t next = 0; /* all below it is right */
	int r = 0;

	for (size_t i = 0; i < m->n_fds && r == 0; i++) {
		const struct dn_open_file *f = dn_open_file(o, m->fds[i]->file);
		uint64_t number = m->fds[i]->number, flag = m->fds[i]->close_on_exec;
		int from = source_of(in->restore, f, m->fds[i]->number);
		if (from < 0)
			return dn_error_say(err, -EINVAL, "%s was not opened", dn_file_name(f->message));
		r = make_room(in, err);
		if (r == 0 && (uint64_t)from == number)
			dn_batch_call(&in->batch, "mark a descriptor", SYS_fcntl, number, F_SETFD,
				      flag ? FD_CLOEXEC : 0);
		else if (r == 0)
			dn_batch_call(&in->batch, "bring a descriptor to its number", SYS_dup3, (uint64_t)from, number,
				      flag ? O_CLOEXEC : 0);
	}
	for (size_t i = 0; i <= m->n_fds && r == 0; i++) {
		uint64_t number = i < m->n_fds ? m->fds[i]->number : (uint64_t)UINT_MAX + 1;
		if (number > next) {
			r = make_room(in, err);
			if (r == 0)
				dn_batch_call(&in->batch, "close descriptors", SYS_close_range, next, number - 1, 0);
		}
		next = number + 1;
	}
	return r;
}

/* ---- locks, owners, signals ---- */

/* A descriptor of the process with this file. */
static const Dn__Fd *descriptor_of(const Dn__Process *m, uint32_t file)
{
	for (size_t i = 0; i < m->n_fds; i++)
		if (m->fds[i]->file == file)
			return m->fds[i];
	return NULL;
}

static int take_locks(struct installer *in, struct dn_error *err)
{
	const Dn__Process *m = in->message;
	struct flock lock;
	int r = 0;

	for (size_t i = 0; i < m->n_locks && r == 0; i++) {
		const Dn__Fd *fd = descriptor_of(m, m->locks[i]->file);
		if (!fd || dn_lock_fcntl(m->locks[i], &lock) < 0)
			return dn_error_say(err, -EINVAL, "the image has a wrong lock of process %u", m->pid);
		r = make_room(in, err);
		if (r == 0)
			dn_batch_call(&in->batch, "take a file lock", SYS_fcntl, fd->number, F_SETLK,
				      dn_batch_put(&in->batch, &lock, sizeof(lock)));
	}
	return r;
}

/* The owner may be gone, then nobody gets the signal any more: no reason to fail. */
static int set_owner(struct installer *in, struct dn_open_file *f, uint64_t number, struct dn_error *err)
{
	const Dn__File *m = f->message;
	struct f_owner_ex owner = { .type = m->owner_type, .pid = m->owner_pid };
	int flags = dn_open_flags(m->flags) & (O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME | O_ASYNC);
	int r = 0;

	if (m->owner_pid && (r = make_room(in, err)) == 0)
		dn_batch_try(&in->batch, "set the owner of a descriptor", SYS_fcntl, number, F_SETOWN_EX,
			     dn_batch_put(&in->batch, &owner, sizeof(owner)));
	if (r == 0 && m->signal && (r = make_room(in, err)) == 0)
		dn_batch_call(&in->batch, "set the signal of a descriptor", SYS_fcntl, number, F_SETSIG,
			      (uint64_t)m->signal);
	/* Signals tell the number at which O_ASYNC was set. */
	if (r == 0 && flags & O_ASYNC && !f->driver->keeps_position && (r = make_room(in, err)) == 0)
		dn_batch_call(&in->batch, "set O_ASYNC", SYS_fcntl, number, F_SETFL, (uint64_t)flags);
	f->owned = true;
	return r;
}

static int set_owners(struct installer *in, struct dn_error *err)
{
	const Dn__Process *m = in->message;
	int r = 0;

	for (size_t i = 0; i < m->n_fds && r == 0; i++) {
		struct dn_open_file *f = dn_open_file(in->restore->files, m->fds[i]->file);
		if (!f->owned && !f->message->outside && !(f->message->flags & O_PATH))
			r = set_owner(in, f, m->fds[i]->number, err);
	}
	return r;
}

/* What drivers have to do in the process itself. */
static int settle_all(struct installer *in, struct dn_error *err)
{
	const Dn__Process *m = in->message;
	int r = flush(in, err);

	for (size_t i = 0; i < m->n_fds && r == 0; i++) {
		const struct dn_open_file *f = dn_open_file(in->restore->files, m->fds[i]->file);
		if (f->driver->settle)
			r = f->driver->settle(in->restore, in->seed, m, m->fds[i], f->message, err);
	}
	return r;
}

int dn_files_install(struct dn_restore *r, struct dn_process *seed, const Dn__Process *message, struct dn_error *err)
{
	struct installer in = { .restore = r, .seed = seed, .message = message };
	struct dn_open_files *o = r->files;

	if (!o || !seed->threads[0]->remote)
		return dn_error_say(err, -EINVAL, "process %u is not ready for its descriptors", message->pid);
	int n = open_late(r, o, err);
	dn_batch_begin(&in.batch, seed->threads[0]->remote);
	for (size_t i = 0; i < message->n_fds && n == 0; i++) {
		const struct dn_open_file *f = dn_open_file(o, message->fds[i]->file);
		bool again = false;
		for (size_t k = 0; k < i && !again && f->late; k++)
			again = message->fds[k]->file == message->fds[i]->file;
		if (f->late && !again)
			n = send_late(&in, f, err);
	}
	if (n == 0)
		n = place_all(&in, err);
	if (n == 0)
		n = take_locks(&in, err);
	if (n == 0)
		n = set_owners(&in, err);
	return n == 0 ? settle_all(&in, err) : n;
}
