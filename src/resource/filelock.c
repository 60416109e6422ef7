/* SPDX-License-Identifier: BSD-3-Clause */
/* filelock.c - file locks: fcntl locks of processes and descriptions, flock
 *
 * fdinfo has a line for each lock that was taken through a description:
 *	lock:	1: POSIX  ADVISORY  WRITE 1234 08:01:262 0 EOF
 * Those of a process (POSIX) are taken again by it, after its other descriptors were closed, since closing
 * any descriptor of a file drops them (fileinstall.c); the others belong to the description and are
 * taken by dunlin.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>

#include "base/util.h"
#include "resource/fileopen.h"
#include "resource/filetable.h"
#include "resource/message.h"

/* ================= capture ================= */

static int parse(const char *line, Dn__FileLock *m)
{
	char kind[16], mode[16], type[16], end[32];
	unsigned long long start;

	if (sscanf(line, "%*d: %15s %15s %15s %*d %*x:%*x:%*u %llu %31s", kind, mode, type, &start, end) != 5)
		return -EINVAL;
	if (!strcmp(kind, "POSIX"))
		m->kind = DN__FILE_LOCK__KIND__POSIX;
	else if (!strcmp(kind, "FLOCK"))
		m->kind = DN__FILE_LOCK__KIND__FLOCK;
	else if (!strcmp(kind, "OFDLCK"))
		m->kind = DN__FILE_LOCK__KIND__OFD;
	else
		return -EINVAL;
	if (strcmp(type, "READ") && strcmp(type, "WRITE"))
		return -EINVAL;
	m->write = !strcmp(type, "WRITE");
	m->start = start;
	m->end = strcmp(end, "EOF") ? strtoull(end, NULL, 10) : UINT64_MAX;
	return 0;
}

/* Several descriptors of a process may be of one description; each tells of the same locks. */
static bool is_known(const Dn__Process *p, const Dn__FileLock *lock)
{
	for (size_t i = 0; i < p->n_locks; i++)
		if (p->locks[i]->file == lock->file && p->locks[i]->start == lock->start &&
		    p->locks[i]->end == lock->end)
			return true;
	return false;
}

int dn_locks_capture(const struct dn_file_probe *probe, Dn__File *file, bool fresh, Dn__Process *message,
		     struct dn_error *err)
{
	const char *line = strstr(probe->fdinfo, "\nlock:");
	char whose[96];

	for (; line; line = strstr(line + 1, "\nlock:")) {
		Dn__FileLock lock = DN__FILE_LOCK__INIT, *m;
		const char *text = line + strlen("\nlock:");
		if (parse(text, &lock) < 0)
			return dn_error_refuse(err, "%s %s, with a lease or lock that cannot be captured (%.*s)",
					       dn_probe_whose(probe, whose), dn_file_name(file),
					       (int)strcspn(text, "\n"), text);
		if (lock.kind == DN__FILE_LOCK__KIND__POSIX) {
			lock.file = file->id;
			if (is_known(message, &lock))
				continue;
			m = dn_message_add(&message->locks, &message->n_locks, &dn__file_lock__descriptor);
		} else if (fresh) {
			m = dn_message_add(&file->locks, &file->n_locks, &dn__file_lock__descriptor);
		} else {
			continue;
		}
		if (!m)
			return dn_error_set(err, -ENOMEM, "cannot list locks");
		*m = lock;
	}
	return 0;
}

/* ================= restore ================= */

int dn_lock_fcntl(const Dn__FileLock *m, struct flock *ret)
{
	if (m->start > INT64_MAX || (m->end != UINT64_MAX && (m->end > INT64_MAX || m->end < m->start)))
		return -EINVAL;
	*ret = (struct flock){
		.l_type = m->write ? F_WRLCK : F_RDLCK,
		.l_whence = SEEK_SET,
		.l_start = (off_t)m->start,
		.l_len = m->end == UINT64_MAX ? 0 : (off_t)(m->end - m->start + 1),
	};
	return 0;
}

static int taken(const Dn__File *file, pid_t holder, struct dn_error *err)
{
	if (holder > 0)
		return dn_error_say(err, -EAGAIN, "the program had %s locked; process %d has it now",
				    dn_file_name(file), holder);
	return dn_error_say(err, -EAGAIN, "the program had %s locked; another process has it now", dn_file_name(file));
}

static int take(const struct dn_open_file *f, const Dn__FileLock *m, struct dn_error *err)
{
	struct flock lock;

	if (m->kind == DN__FILE_LOCK__KIND__FLOCK) {
		if (flock(f->fd, (m->write ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0)
			return 0;
	} else {
		if (m->kind != DN__FILE_LOCK__KIND__OFD || dn_lock_fcntl(m, &lock) < 0)
			return dn_error_say(err, -EINVAL, "the image has a wrong lock of %s", dn_file_name(f->message));
		if (fcntl(f->fd, F_OFD_SETLK, &lock) == 0)
			return 0;
	}
	if (errno == EWOULDBLOCK || errno == EACCES)
		return taken(f->message, 0, err);
	return dn_error_set(err, -errno, "cannot lock %s", dn_file_name(f->message));
}

/* Asks for a lock of a process, which it takes later. */
static int ask(struct dn_open_files *o, const Dn__FileLock *m, struct dn_error *err)
{
	struct dn_open_file *f = dn_open_file(o, m->file);
	struct flock lock;

	if (!f || f->fd < 0 || m->kind != DN__FILE_LOCK__KIND__POSIX || dn_lock_fcntl(m, &lock) < 0)
		return dn_error_say(err, -EINVAL, "the image has a wrong lock of a process");
	if (fcntl(f->fd, F_GETLK, &lock) < 0)
		return dn_error_set(err, -errno, "cannot ask for locks of %s", dn_file_name(f->message));
	return lock.l_type == F_UNLCK ? 0 : taken(f->message, lock.l_pid, err);
}

int dn_locks_take(struct dn_restore *r, struct dn_error *err)
{
	struct dn_open_files *o = r->files;
	size_t count;
	int n = 0;

	for (size_t i = 0; i < o->count && n == 0; i++)
		for (size_t k = 0; k < o->files[i].message->n_locks && n == 0; k++)
			n = take(&o->files[i], o->files[i].message->locks[k], err);
	struct dn_image_process *processes = dn_image_processes(r->image, &count);
	for (size_t i = 0; i < count && n == 0; i++)
		for (size_t k = 0; k < processes[i].process->n_locks && n == 0; k++)
			n = ask(o, processes[i].process->locks[k], err);
	return n;
}
