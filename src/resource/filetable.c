/* SPDX-License-Identifier: BSD-3-Clause */
/* filetable.c - capture of descriptors: every description once
 *
 * Theory of operation: pidfd_getfd gives dunlin a duplicate of each descriptor, so that plain calls tell
 * all about it.  Whether a description was met before is asked from kcmp, which also orders them: the
 * descriptions of one inode are kept sorted, and a search takes log(n) calls even if a program opened one
 * file ten thousand times.  Duplicates are closed at once; what is needed again is fetched again, since
 * the tree is held.
 */
#include "resource/filetable.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "base/kernel.h"
#include "base/log.h"
#include "base/util.h"
#include "resource/message.h"
#include "resource/sockets.h"

int dn_reopen(int fd, int flags)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	fd = open(path, flags | O_CLOEXEC | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

int dn_open_flags(uint32_t flags)
{
	if ((flags & O_TMPFILE) == O_TMPFILE) /* includes O_DIRECTORY */
		flags &= ~(uint32_t)O_TMPFILE;
	return (int)flags & (O_ACCMODE | O_APPEND | O_NONBLOCK | O_SYNC | O_DSYNC | O_DIRECT | O_NOATIME | O_ASYNC |
			     O_PATH | O_NOFOLLOW | O_DIRECTORY);
}

const char *dn_probe_whose(const struct dn_file_probe *probe, char buf[static 96])
{
	_cleanup_text_ struct dn_text comm = {};

	if (dn_read_text(&comm, NULL, "/proc/%d/comm", probe->process->pid) < 0 || !comm.len)
		comm.len = 1;
	int n = snprintf(buf, 96, "process %d (%.*s) ", probe->process->pid, (int)comm.len - 1,
			 comm.data ? comm.data : "");
	if (probe->number < 0)
		snprintf(buf + n, 96 - (size_t)n, "uses");
	else
		snprintf(buf + n, 96 - (size_t)n, "has descriptor %d open on", probe->number);
	return buf;
}

int dn_file_table(struct dn_capture *c, struct dn_file_table **ret, struct dn_error *err)
{
	struct rlimit limit;
	struct stat st;

	if (c->files) {
		*ret = c->files;
		return 0;
	}
	struct dn_file_table *t = calloc(1, sizeof(*t));
	if (!t)
		return dn_error_set(err, -ENOMEM, "cannot list open files");
	c->files = t;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	if (stat("/proc", &st) < 0)
		return dn_error_set(err, -errno, "cannot look at /proc");
	t->proc_dev = st.st_dev;
	if (stat("/proc/self/ns/mnt", &st) < 0)
		return dn_error_set(err, -errno, "cannot look at /proc/self/ns/mnt");
	t->mount_namespace = st.st_ino;
	/* memfds live on a file system of the kernel's own, as does shared anonymous memory. */
	_cleanup_fd_ int fd = memfd_create("dunlin", MFD_CLOEXEC | MFD_NOEXEC_SEAL);
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("dunlin", MFD_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return dn_error_set(err, -errno, "cannot create a memfd");
	t->shm_dev = st.st_dev;
	*ret = t;
	return 0;
}

void dn_files_before_kill(struct dn_capture *c)
{
	if (c->files)
		dn_tcp_before_kill(c);
}

void dn_files_capture_finish(struct dn_capture *c)
{
	struct dn_file_table *t = c->files;

	if (!t)
		return;
	for (size_t i = 0; i < t->count; i++)
		dn__file__free_unpacked(t->descriptions[i].file, NULL);
	for (size_t i = 0; i < t->group_count; i++)
		free(t->groups[i].sorted);
	for (size_t i = 0; i < t->object_count; i++) {
		if (t->objects[i].fd >= 0)
			close(t->objects[i].fd);
		free(t->objects[i].message.name);
	}
	for (size_t i = 0; i < t->kept_count; i++)
		close(t->kept[i]);
	if (t->own && t->own->pidfd >= 0)
		close(t->own->pidfd);
	free(t->own);
	free(t->kept);
	free(t->descriptions);
	free(t->groups);
	free(t->objects);
	free(t->pipes);
	dn_idmap_finish(&t->map);
	free(t);
	c->files = NULL;
}

int dn_probe_fill(struct dn_file_table *t, struct dn_file_probe *probe, struct dn_error *err)
{
	if (fstat(probe->fd, &probe->st) < 0)
		return dn_error_set(err, -errno, "cannot look at %s of process %d", probe->link, probe->process->pid);
	probe->proc_dev = t->proc_dev;
	probe->shm_dev = t->shm_dev;
	return 0;
}

const char *dn_probe_field(const struct dn_file_probe *probe, const char *key)
{
	const struct dn_text text = { .data = (char *)probe->fdinfo };

	return dn_text_field(&text, key);
}

int dn_description_get(const struct dn_description *d, struct dn_error *err)
{
	int fd = (int)syscall(SYS_pidfd_getfd, d->process->pidfd, d->number, 0);

	if (fd < 0)
		return dn_error_set(err, -errno, "cannot duplicate descriptor %d of process %d", d->number,
				    d->process->pid);
	return fd;
}

/* Everything that the drivers do not know or that no driver wants. */
static int refuse_unknown(const struct dn_file_probe *probe, struct dn_error *err)
{
	char whose[96];

	if (S_ISSOCK(probe->st.st_mode))
		return dn_error_refuse(err, "%s %s: sockets cannot be captured", dn_probe_whose(probe, whose),
				       probe->link);
	const char *what = probe->link + (strncmp(probe->link, "anon_inode:", 11) ? 0 : 11);
	return dn_error_refuse(err, "%s %s, which cannot be captured", dn_probe_whose(probe, whose), what);
}

static int capture_owner(const struct dn_file_probe *probe, Dn__File *file)
{
	struct f_owner_ex owner = {};

	if (probe->number < 0 || probe->flags & O_PATH)
		return 0;
	if (fcntl(probe->fd, F_GETOWN_EX, &owner) == 0 && owner.pid) {
		file->owner_type = owner.type;
		file->owner_pid = owner.pid;
	}
	int sig = fcntl(probe->fd, F_GETSIG);
	file->signal = sig > 0 ? sig : 0;
	return 0;
}

int dn_description_add(struct dn_capture *c, const struct dn_file_probe *probe, uint32_t *ret_index,
		       struct dn_error *err)
{
	struct dn_file_table *t = c->files;
	const struct dn_file_driver *driver = NULL;

	for (size_t i = 0; dn_file_drivers[i] && !driver; i++)
		if (dn_file_drivers[i]->match(probe))
			driver = dn_file_drivers[i];
	if (!driver)
		return refuse_unknown(probe, err);
	Dn__File *file = dn_message_new(&dn__file__descriptor);
	if (!file || dn_grow(&t->descriptions, &t->cap, t->count, sizeof(*t->descriptions)) < 0 ||
	    dn_message_string(&file->driver, driver->name) < 0) {
		free(file);
		return dn_error_set(err, -ENOMEM, "cannot list open files");
	}
	file->id = (uint32_t)t->count + 1;
	file->flags = (uint32_t)probe->flags;
	file->position = probe->position;
	capture_owner(probe, file);
	int r = driver->capture(c, probe, file, err);
	if (r < 0) {
		dn__file__free_unpacked(file, NULL);
		return r;
	}
	*ret_index = (uint32_t)t->count;
	t->descriptions[t->count++] = (struct dn_description){
		.file = file,
		.driver = driver,
		.dev = probe->st.st_dev,
		.ino = probe->st.st_ino,
		.process = probe->process,
		.number = probe->number,
	};
	return 0;
}

/* ---- which description is it ---- */

/* -1, 0, 1: how a description compares to descriptor number of process p; below -1: -errno. */
static int compare(const struct dn_description *d, const struct dn_file_probe *probe, struct dn_error *err)
{
	if (d->number == probe->number && d->process == probe->process)
		return 0;
	long r = syscall(SYS_kcmp, d->process->pid, probe->process->pid, KCMP_FILE, d->number, probe->number);
	switch (r) {
	case 0: return 0;
	case 1: return -1;
	case 2: return 1;
	}
	int code = r < 0 ? -errno : -EIO;
	dn_error_set(err, code, "cannot compare descriptor %d of process %d with descriptor %d of process %d",
		     d->number, d->process->pid, probe->number, probe->process->pid);
	return DN_MIN(code, -2);
}

static int group_of(struct dn_file_table *t, const struct dn_file_probe *probe, struct dn_description_group **ret,
		    struct dn_error *err)
{
	uint32_t *value = dn_idmap_at(&t->map, DN_KEY_GROUP, probe->st.st_dev, probe->st.st_ino);

	if (!value || dn_grow(&t->groups, &t->group_cap, t->group_count, sizeof(*t->groups)) < 0)
		return dn_error_set(err, -ENOMEM, "cannot list open files");
	if (!*value)
		*value = (uint32_t)++t->group_count;
	*ret = &t->groups[*value - 1];
	return 0;
}

/* 1: *ret_place is the place of the description in the group; 0: of the first one behind it. */
static int search(struct dn_file_table *t, const struct dn_description_group *g, const struct dn_file_probe *probe,
		  size_t *ret_place, struct dn_error *err)
{
	size_t low = 0, high = g->count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int r = compare(&t->descriptions[g->sorted[middle]], probe, err);
		if (r < -1)
			return r;
		if (r == 0) {
			*ret_place = middle;
			return 1;
		}
		if (r < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*ret_place = low;
	return 0;
}

int dn_description_find(struct dn_capture *c, struct dn_process *p, int number, uint32_t *ret_index,
			struct dn_error *err)
{
	struct dn_file_probe probe = { .process = p, .number = number, .link = "", .fdinfo = "" };
	struct dn_description_group *g = NULL;
	size_t place = 0;

	_cleanup_fd_ int fd = (int)syscall(SYS_pidfd_getfd, p->pidfd, number, 0);
	if (fd < 0)
		return errno == EBADF ? 0
				      : dn_error_set(err, -errno, "cannot duplicate descriptor %d of process %d",
						     number, p->pid);
	probe.fd = fd;
	int r = dn_probe_fill(c->files, &probe, err);
	if (r == 0)
		r = group_of(c->files, &probe, &g, err);
	if (r == 0)
		r = search(c->files, g, &probe, &place, err);
	if (r == 1)
		*ret_index = g->sorted[place];
	return r;
}

/* The index of the probe's description; *ret_fresh: it was not known. */
static int identify(struct dn_capture *c, const struct dn_file_probe *probe, uint32_t *ret_index, bool *ret_fresh,
		    struct dn_error *err)
{
	struct dn_file_table *t = c->files;
	struct dn_description_group *g = NULL;
	struct dn_file_probe named = *probe;
	char path[64], link[PATH_MAX];
	size_t place = 0;

	int r = group_of(t, probe, &g, err);
	if (r < 0)
		return r;
	r = search(t, g, probe, &place, err);
	if (r < 0)
		return r;
	*ret_fresh = r == 0;
	if (r == 1) {
		*ret_index = g->sorted[place];
		return 0;
	}
	/* The duplicate's entry says the same, and has been in the kernel's cache since the one before. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", probe->fd);
	ssize_t n = readlink(path, link, sizeof(link) - 1);
	if (n < 0 && errno == ENAMETOOLONG)
		return dn_error_refuse(err,
				       "process %d has descriptor %d open on a file whose path is longer than %d bytes",
				       probe->process->pid, probe->number, PATH_MAX);
	if (n < 0)
		return dn_error_set(err, -errno, "cannot read %s", path);
	link[n] = '\0';
	named.link = link;
	if (dn_grow(&g->sorted, &g->cap, g->count, sizeof(*g->sorted)) < 0)
		return dn_error_set(err, -ENOMEM, "cannot list open files");
	r = dn_description_add(c, &named, ret_index, err);
	if (r < 0)
		return r;
	memmove(&g->sorted[place + 1], &g->sorted[place], (g->count - place) * sizeof(*g->sorted));
	g->sorted[place] = *ret_index;
	g->count++;
	return 0;
}

/* ---- the descriptors of a process ---- */

/* Reads /proc/PID/fdinfo/N below the folder `at` into text; -errno. */
static int read_fdinfo(int at, int number, struct dn_text *text, pid_t pid, struct dn_error *err)
{
	char name[16];

	snprintf(name, sizeof(name), "%d", number);
	_cleanup_fd_ int fd = openat(at, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return dn_error_set(err, -errno, "cannot open /proc/%d/fdinfo/%d", pid, number);
	text->len = 0;
	for (;;) {
		if (text->cap - text->len < 2048) {
			char *data = realloc(text->data, text->cap + 8192);
			if (!data)
				return dn_error_set(err, -ENOMEM, "cannot read /proc/%d/fdinfo/%d", pid, number);
			text->data = data;
			text->cap += 8192;
		}
		ssize_t n = read(fd, text->data + text->len, text->cap - text->len - 1);
		if (n < 0)
			return dn_error_set(err, -errno, "cannot read /proc/%d/fdinfo/%d", pid, number);
		text->len += (size_t)n;
		text->data[text->len] = '\0';
		if (n < 1024) /* the kernel gives it whole, page by page where it is long */
			return 0;
	}
}

/* The number behind "key:" in text, in base; false if there is none. */
static bool field(const struct dn_text *text, const char *key, int base, long long *ret)
{
	const char *value = dn_text_field(text, key);
	char *end = NULL;

	if (value)
		*ret = strtoll(value, &end, base);
	return value && end > value;
}

/* The index of what process p has at a number, captured if it is new; its close-on-exec flag. */
static int capture_description(struct dn_capture *c, struct dn_process *p, int number, int fdinfo_dir,
			       struct dn_text *text, Dn__Process *message, uint32_t *ret_index, bool *ret_fresh,
			       bool *ret_cloexec, struct dn_error *err)
{
	long long flags = 0, position = 0;

	_cleanup_fd_ int fd = dn_description_get(&(struct dn_description){ .process = p, .number = number }, err);
	if (fd < 0)
		return fd;
	int r = read_fdinfo(fdinfo_dir, number, text, p->pid, err);
	if (r < 0)
		return r;
	if (!field(text, "flags", 8, &flags) || !field(text, "pos", 10, &position))
		return dn_error_say(err, -EINVAL, "cannot understand /proc/%d/fdinfo/%d", p->pid, number);
	struct dn_file_probe probe = {
		.process = p,
		.number = number,
		.fd = fd,
		.flags = (int)flags & ~O_CLOEXEC,
		.position = position,
		.link = "",
		.fdinfo = text->data,
	};
	r = dn_probe_fill(c->files, &probe, err);
	if (r == 0)
		r = identify(c, &probe, ret_index, ret_fresh, err);
	if (r < 0)
		return r;
	*ret_cloexec = flags & O_CLOEXEC;
	return dn_locks_capture(&probe, c->files->descriptions[*ret_index].file, *ret_fresh, message, err);
}

static int capture_descriptor(struct dn_capture *c, struct dn_process *p, int number, int fdinfo_dir,
			      struct dn_text *text, Dn__Process *message, struct dn_error *err)
{
	bool fresh = false, cloexec = false;
	uint32_t index = 0;

	int r = capture_description(c, p, number, fdinfo_dir, text, message, &index, &fresh, &cloexec, err);
	if (r < 0)
		return r;
	struct dn_description *d = &c->files->descriptions[index];
	if (number < 3)
		d->standard |= 1U << number;
	Dn__Fd *m = dn_message_add(&message->fds, &message->n_fds, &dn__fd__descriptor);
	if (!m)
		return dn_error_set(err, -ENOMEM, "cannot list open files");
	m->number = (uint32_t)number;
	m->file = d->file->id;
	m->close_on_exec = cloexec;
	return 0;
}

static int know_myself(struct dn_file_table *t, struct dn_error *err)
{
	struct dn_process *p = t->own ? NULL : calloc(1, sizeof(*p));

	if (t->own)
		return 0;
	if (!p)
		return dn_error_set(err, -ENOMEM, "cannot list open files");
	t->own = p;
	p->pid = getpid();
	p->mem_fd = -1;
	p->pidfd = (int)syscall(SYS_pidfd_open, p->pid, 0);
	return p->pidfd < 0 ? dn_error_set(err, -errno, "cannot refer to dunlin's own process") : 0;
}

int dn_description_take(struct dn_capture *c, int fd, uint32_t *ret_file, struct dn_error *err)
{
	struct dn_file_table *t = c->files;
	_cleanup_text_ struct dn_text text = {};
	_cleanup_fd_ int received = fd, dir = open("/proc/self/fdinfo", O_PATH | O_DIRECTORY | O_CLOEXEC);
	bool fresh = false, cloexec;
	uint32_t index = 0;

	int r = know_myself(t, err);
	if (r == 0 && dir < 0)
		r = dn_error_set(err, -errno, "cannot open /proc/self/fdinfo");
	if (r == 0)
		r = capture_description(c, t->own, fd, dir, &text, NULL, &index, &fresh, &cloexec, err);
	if (r < 0)
		return dn_error_wrap(err, "a descriptor on its way through a unix socket");
	*ret_file = t->descriptions[index].file->id;
	if (!fresh)
		return 0;
	if (dn_grow(&t->kept, &t->kept_cap, t->kept_count, sizeof(*t->kept)) < 0)
		return dn_error_set(err, -ENOMEM, "cannot list open files");
	t->kept[t->kept_count++] = DN_STEAL_FD(received);
	return 0;
}

static int ascending(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* The numbers that are names in a folder, sorted. */
static int list_numbers(DIR *d, int **ret, size_t *ret_count)
{
	size_t cap = 0, count = 0;
	_cleanup_free_ int *numbers = NULL;

	errno = 0;
	for (struct dirent *e; (e = readdir(d)); errno = 0) {
		if (e->d_name[0] == '.')
			continue;
		if (dn_grow(&numbers, &cap, count, sizeof(*numbers)) < 0) {
			errno = ENOMEM;
			break;
		}
		numbers[count++] = atoi(e->d_name);
	}
	if (errno)
		return -errno;
	if (count)
		qsort(numbers, count, sizeof(*numbers), ascending);
	*ret = DN_STEAL(numbers);
	*ret_count = count;
	return 0;
}

/* Paths mean the same to the process and to dunlin only in one mount namespace. */
static int check_namespace(struct dn_file_table *t, struct dn_process *p, struct dn_error *err)
{
	char path[64];
	struct stat st;

	if (t->looked_at == p)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", p->pid);
	if (stat(path, &st) < 0)
		return dn_error_set(err, -errno, "cannot look at %s", path);
	if (st.st_ino != t->mount_namespace)
		return dn_error_refuse(err, "process %d lives in a mount namespace of its own; run dunlin in there",
				       p->pid);
	t->looked_at = p;
	return 0;
}

int dn_files_capture(struct dn_capture *c, struct dn_process *p, Dn__Process *message, struct dn_error *err)
{
	_cleanup_text_ struct dn_text text = {};
	_cleanup_free_ int *numbers = NULL;
	struct dn_file_table *t = NULL;
	size_t count = 0;
	char path[64];

	if (p->zombie)
		return 0;
	int r = dn_file_table(c, &t, err);
	if (r == 0)
		r = check_namespace(t, p, err);
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "/proc/%d/fdinfo", p->pid);
	DIR *d = opendir(path);
	if (!d)
		return dn_error_set(err, -errno, "cannot open %s", path);
	r = list_numbers(d, &numbers, &count);
	if (r < 0)
		dn_error_set(err, r, "cannot list %s", path);
	for (size_t i = 0; i < count && r == 0; i++)
		r = capture_descriptor(c, p, numbers[i], dirfd(d), &text, message, err);
	closedir(d);
	return r;
}

/* ---- the end ---- */

#define FILES_PER_RECORD 4096

static int write_files(struct dn_capture *c, struct dn_error *err)
{
	struct dn_file_table *t = c->files;
	_cleanup_free_ Dn__File **list = calloc(t->count + 1, sizeof(*list));
	int r = 0;

	if (!list)
		return dn_error_set(err, -ENOMEM, "cannot list open files");
	for (size_t i = 0; i < t->count; i++)
		list[i] = t->descriptions[i].file;
	for (size_t i = 0; i < t->count && r == 0; i += FILES_PER_RECORD) {
		Dn__Files files = DN__FILES__INIT;
		files.files = list + i;
		files.n_files = DN_MIN(t->count - i, (size_t)FILES_PER_RECORD);
		r = dn_image_write_message(c->writer, DN_RECORD_FILES, &files.base, err);
	}
	return r;
}

static void warn_of_owners(struct dn_capture *c)
{
	for (size_t i = 0; i < c->files->count; i++) {
		const struct dn_description *d = &c->files->descriptions[i];
		const Dn__File *f = d->file;
		bool inside = !f->owner_pid || f->owner_type != F_OWNER_PID;
		for (size_t k = 0; k < c->process_count && !inside; k++)
			inside = c->processes[k]->pid == f->owner_pid;
		if (!inside)
			dn_warn("descriptor %d of process %d sends signals to process %d, which is not captured",
				d->number, d->process->pid, f->owner_pid);
	}
}

int dn_files_capture_end(struct dn_capture *c, struct dn_error *err)
{
	struct dn_file_table *t = NULL;

	int r = dn_file_table(c, &t, err);
	for (size_t i = 0; dn_file_drivers[i] && r == 0; i++)
		if (dn_file_drivers[i]->capture_end)
			r = dn_file_drivers[i]->capture_end(c, err);
	if (r < 0)
		return r;
	warn_of_owners(c);
	dn_ancestors_look(c);
	r = write_files(c, err);
	if (r == 0)
		r = dn_pipes_write(c, err);
	if (r == 0)
		r = dn_objects_write(c, err);
	return r;
}
