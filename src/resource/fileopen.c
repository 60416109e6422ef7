/* SPDX-License-Identifier: BSD-3-Clause */
/* fileopen.c - restart: every file of the image is checked, then opened in dunlin */
#include "resource/fileopen.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/util.h"

/* ---- the table ---- */

struct dn_open_file *dn_open_file(struct dn_open_files *o, uint32_t id)
{
	uint32_t at = dn_idmap_get(&o->map, DN_OPEN_FILE, id, 0);

	return at ? &o->files[at - 1] : NULL;
}

struct dn_open_object *dn_open_object(struct dn_open_files *o, uint32_t id)
{
	uint32_t at = dn_idmap_get(&o->map, DN_OPEN_OBJECT, id, 0);

	return at ? &o->objects[at - 1] : NULL;
}

struct dn_open_pipe *dn_open_pipe(struct dn_open_files *o, uint32_t id)
{
	uint32_t at = dn_idmap_get(&o->map, DN_OPEN_PIPE, id, 0);

	return at ? &o->pipes[at - 1] : NULL;
}

static int add_id(struct dn_open_files *o, enum dn_open_key what, uint32_t id, size_t index, struct dn_error *err)
{
	uint32_t *value = dn_idmap_at(&o->map, what, id, 0);

	if (!value)
		return dn_error_set(err, -ENOMEM, "cannot list the files of the image");
	if (*value || !id)
		return dn_error_say(err, -EINVAL, "the image uses the number %u for two files", id);
	*value = (uint32_t)index + 1;
	return 0;
}

static int list_everything(struct dn_restore *r, struct dn_open_files *o, struct dn_error *err)
{
	Dn__File **files = dn_image_files(r->image, &o->count);
	Dn__Object **objects = dn_image_objects(r->image, &o->object_count);
	Dn__Pipe **pipes = dn_image_pipes(r->image, &o->pipe_count);
	int n = 0;

	o->files = calloc(o->count + 1, sizeof(*o->files));
	o->objects = calloc(o->object_count + 1, sizeof(*o->objects));
	o->pipes = calloc(o->pipe_count + 1, sizeof(*o->pipes));
	if (!o->files || !o->objects || !o->pipes) {
		o->count = o->object_count = o->pipe_count = 0;
		return dn_error_set(err, -ENOMEM, "cannot list the files of the image");
	}
	for (size_t i = 0; i < o->object_count; i++)
		o->objects[i] = (struct dn_open_object){ .message = objects[i], .fd = -1, .maker = -1, .work = -1 };
	for (size_t i = 0; i < o->pipe_count; i++)
		o->pipes[i] = (struct dn_open_pipe){ .message = pipes[i], .fds = { -1, -1 } };
	for (size_t i = 0; i < o->count; i++)
		o->files[i] = (struct dn_open_file){ .message = files[i], .fd = -1, .gone = -1, .made = -1 };
	for (size_t i = 0; i < o->object_count && n == 0; i++)
		n = add_id(o, DN_OPEN_OBJECT, objects[i]->id, i, err);
	for (size_t i = 0; i < o->pipe_count && n == 0; i++)
		n = add_id(o, DN_OPEN_PIPE, pipes[i]->id, i, err);
	for (size_t i = 0; i < o->count && n == 0; i++) {
		n = add_id(o, DN_OPEN_FILE, files[i]->id, i, err);
		o->files[i].driver = dn_file_driver_named(files[i]->driver);
		if (n == 0 && !o->files[i].driver)
			n = dn_error_say(err, -EINVAL,
					 "the image has a file of kind '%s', which this dunlin does not know",
					 files[i]->driver);
	}
	return n;
}

static int by_number(const void *a, const void *b)
{
	const struct dn_number_use *x = a, *y = b;

	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	return x->file < y->file ? -1 : x->file > y->file;
}

static void find_homes(struct dn_open_files *o)
{
	for (size_t i = 0, end; i < o->use_count; i = end) {
		bool one = true;
		for (end = i + 1; end < o->use_count && o->uses[end].number == o->uses[i].number; end++)
			one = one && o->uses[end].file == o->uses[i].file;
		struct dn_open_file *file = &o->files[o->uses[i].file];
		if (one && !file->home && o->uses[i].number > 2)
			file->home = o->uses[i].number;
	}
}

/* Which number is used for what, by all processes. */
static int list_numbers(struct dn_restore *r, struct dn_open_files *o, struct dn_error *err)
{
	size_t count, total = 0;
	struct dn_image_process *processes = dn_image_processes(r->image, &count);

	for (size_t i = 0; i < count; i++)
		total += processes[i].process->n_fds;
	o->uses = calloc(total + 1, sizeof(*o->uses));
	if (!o->uses)
		return dn_error_set(err, -ENOMEM, "cannot list the descriptors of the image");
	for (size_t i = 0; i < count; i++) {
		const Dn__Process *p = processes[i].process;
		for (size_t k = 0; k < p->n_fds; k++) {
			struct dn_open_file *file = dn_open_file(o, p->fds[k]->file);
			if (!file || p->fds[k]->number > INT_MAX)
				return dn_error_say(err, -EINVAL, "descriptor %u of process %u in the image is wrong",
						    p->fds[k]->number, p->pid);
			if (k && p->fds[k]->number <= p->fds[k - 1]->number)
				return dn_error_say(err, -EINVAL,
						    "the descriptors of process %u in the image are not sorted",
						    p->pid);
			o->uses[o->use_count++] = (struct dn_number_use){
				.number = p->fds[k]->number,
				.file = (uint32_t)(file - o->files),
			};
		}
	}
	qsort(o->uses, o->use_count, sizeof(*o->uses), by_number);
	find_homes(o);
	return 0;
}

int dn_open_files(struct dn_restore *r, struct dn_open_files **ret, struct dn_error *err)
{
	struct rlimit limit;

	if (r->files) {
		*ret = r->files;
		return 0;
	}
	struct dn_open_files *o = calloc(1, sizeof(*o));
	if (!o)
		return dn_error_set(err, -ENOMEM, "cannot list the files of the image");
	pthread_mutex_init(&o->lock, NULL);
	o->post[0] = o->post[1] = -1;
	o->next = 3;
	for (int i = 0; i < 3; i++)
		r->standard[i] = -1;
	r->files = o;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	int n = list_everything(r, o, err);
	if (n == 0)
		n = list_numbers(r, o, err);
	if (n < 0)
		return n;
	*ret = o;
	return 0;
}

static void close_if(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void close_pipes(struct dn_open_files *o)
{
	for (size_t i = 0; i < o->pipe_count; i++) {
		close_if(&o->pipes[i].fds[0]);
		close_if(&o->pipes[i].fds[1]);
	}
}

void dn_files_restore_finish(struct dn_restore *r)
{
	struct dn_open_files *o = r->files;

	if (!o)
		return;
	if (o->unix_made && !o->started)
		dn_unix_unmake(r);
	for (size_t i = 0; i < o->count; i++) {
		close_if(&o->files[i].fd);
		close_if(&o->files[i].gone);
		close_if(&o->files[i].made);
	}
	for (size_t i = 0; i < o->object_count; i++) {
		close_if(&o->objects[i].fd);
		close_if(&o->objects[i].maker);
		close_if(&o->objects[i].work);
	}
	close_pipes(o);
	for (int i = 0; i < 2; i++)
		close_if(&o->post[i]);
	for (int i = 0; i < 3; i++)
		close_if(&r->standard[i]);
	pthread_mutex_destroy(&o->lock);
	dn_idmap_finish(&o->map);
	free(o->files);
	free(o->objects);
	free(o->pipes);
	free(o->uses);
	free(o);
	r->files = NULL;
}

/* ---- numbers ---- */

/* First element of uses whose number is not below. */
static size_t first_use(const struct dn_open_files *o, uint32_t number)
{
	size_t low = 0, high = o->use_count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		if (o->uses[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool dn_stands_at(const struct dn_open_files *o, const struct dn_open_file *file, uint32_t number)
{
	for (size_t i = first_use(o, number); i < o->use_count && o->uses[i].number == number; i++)
		if (&o->files[o->uses[i].file] == file)
			return true;
	return false;
}

/* Would a file be in nobody's way at this number? */
static bool is_good(const struct dn_open_files *o, const struct dn_open_file *file, uint32_t number)
{
	if (number < 3)
		return false;
	for (size_t i = first_use(o, number); i < o->use_count && o->uses[i].number == number; i++)
		if (&o->files[o->uses[i].file] != file)
			return false;
	return true;
}

static int place_failed(int code, struct dn_error *err)
{
	struct rlimit limit = {};

	getrlimit(RLIMIT_NOFILE, &limit);
	if (code == -EMFILE || code == -EINVAL)
		return dn_error_say(err, code,
				    "the image needs more than the %llu descriptors that dunlin may have here; "
				    "raise the hard limit (ulimit -Hn)",
				    (unsigned long long)limit.rlim_max);
	return dn_error_set(err, code, "cannot duplicate a descriptor");
}

int dn_place(struct dn_open_files *o, const struct dn_open_file *file, int fd, struct dn_error *err)
{
	int to = -1;

	if (fd < 0)
		return fd;
	if (is_good(o, file, (uint32_t)fd))
		return fd;
	if (file && file->home && file->home <= INT_MAX && fcntl((int)file->home, F_GETFD) < 0)
		to = dup3(fd, (int)file->home, O_CLOEXEC);
	while (to < 0) {
		while (!is_good(o, NULL, o->next))
			o->next++;
		to = fcntl(fd, F_DUPFD_CLOEXEC, (int)o->next);
		if (to < 0) {
			int code = -errno;
			close(fd);
			return place_failed(code, err);
		}
		o->next = (uint32_t)to + 1;
		if (!is_good(o, NULL, (uint32_t)to)) {
			close(to);
			to = -1;
		}
	}
	close(fd);
	return to;
}

/* ---- checking ---- */

int dn_files_check(struct dn_restore *r, struct dn_error *err)
{
	struct dn_open_files *o = NULL;
	struct dn_error other;
	size_t others = 0;

	int n = dn_open_files(r, &o, err);
	if (n < 0)
		return n;
	for (size_t i = 0; i < o->count; i++) {
		const struct dn_file_driver *driver = o->files[i].driver;
		if (!driver->check)
			continue;
		int m = driver->check(r, o->files[i].message, n < 0 ? &other : err);
		if (m < 0 && n < 0) {
			others++;
			dn_info("%s", other.text);
		}
		n = n < 0 ? n : m;
	}
	if (n < 0 && others && err) {
		size_t len = strlen(err->text);
		snprintf(err->text + len, sizeof(err->text) - len, " (and %zu more; -v names them)", others);
	}
	return n;
}

/* ---- opening ---- */

static int move_standard(struct dn_restore *r, struct dn_open_files *o, struct dn_error *err)
{
	for (int i = 0; i < 3; i++) {
		if (!r->has_standard[i])
			continue;
		int fd = fcntl(i, F_DUPFD_CLOEXEC, 3);
		if (fd < 0)
			return place_failed(-errno, err);
		r->standard[i] = dn_place(o, NULL, fd, err);
		if (r->standard[i] < 0)
			return r->standard[i];
	}
	return 0;
}

/* What open(2) did not set, or could not. */
static int set_state(const struct dn_open_file *f, int fd, struct dn_error *err)
{
	const Dn__File *m = f->message;

	if (f->driver->keeps_position || m->flags & O_PATH)
		return 0;
	if (fcntl(fd, F_SETFL, dn_open_flags(m->flags) & (O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME)) < 0)
		return dn_error_set(err, -errno, "cannot set the flags 0%o of %s", m->flags, dn_file_name(m));
	if (m->position && lseek(fd, m->position, SEEK_SET) < 0 && errno != ESPIPE)
		return dn_error_set(err, -errno, "cannot go to position %lld in %s", (long long)m->position,
				    dn_file_name(m));
	return 0;
}

static int open_one(struct dn_restore *r, struct dn_open_files *o, struct dn_open_file *f, struct dn_error *err)
{
	int fd = -1, n = 0;

	if (f->driver->late && f->driver->late(f->message)) {
		f->late = true;
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return dn_error_set(err, -errno, "cannot open /dev/null");
	} else {
		n = f->driver->restore(r, f->message, &fd, err);
		if (n == 0)
			n = set_state(f, fd, err);
	}
	if (n < 0) {
		close_if(&fd);
		return n == -EMFILE ? place_failed(n, err) : n;
	}
	f->fd = dn_place(o, f, fd, err);
	return f->fd < 0 ? f->fd : 0;
}

/* --rollback-files */
static int cut_back(struct dn_open_files *o, struct dn_error *err)
{
	for (size_t i = 0; i < o->count; i++) {
		const struct dn_open_file *f = &o->files[i];
		if (f->grown && ftruncate(f->fd, (off_t)f->message->path->size) < 0)
			return dn_error_set(err, -errno, "cannot cut %s back to %llu bytes", f->message->path->path,
					    (unsigned long long)f->message->path->size);
	}
	return 0;
}

/* The socket pair through which late files reach the processes. */
static int make_post(struct dn_open_files *o, struct dn_error *err)
{
	bool any = false;
	int post[2];

	for (size_t i = 0; i < o->count; i++)
		any = any || o->files[i].late;
	if (!any)
		return 0;
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, post) < 0)
		return dn_error_set(err, -errno, "cannot make a socket pair");
	for (int i = 0; i < 2; i++) {
		o->post[i] = dn_place(o, NULL, post[i], err);
		if (o->post[i] < 0) {
			if (i == 0)
				close(post[1]);
			return o->post[i];
		}
	}
	return 0;
}

int dn_files_open(struct dn_restore *r, struct dn_error *err)
{
	struct dn_open_files *o = NULL;

	int n = dn_open_files(r, &o, err);
	if (n < 0)
		return n;
	n = move_standard(r, o, err);
	if (n == 0)
		n = dn_objects_create(r, err);
	for (size_t i = 0; i < o->count && n == 0; i++)
		n = open_one(r, o, &o->files[i], err);
	if (n < 0)
		return n;
	close_pipes(o);
	for (size_t i = 0; i < o->object_count; i++)
		close_if(&o->objects[i].maker);
	n = make_post(o, err);
	return n == 0 ? dn_locks_take(r, err) : n;
}

int dn_files_start(struct dn_restore *r, struct dn_error *err)
{
	struct dn_open_files *o = r->files;
	int n = 0;

	o->started = true;
	for (size_t i = 0; i < o->count && n == 0; i++)
		if (o->files[i].driver->start)
			n = o->files[i].driver->start(r, o->files[i].message, o->files[i].fd, err);
	/* Last: a restart that fails must not have cost anybody's data. */
	return n == 0 && r->options->rollback_files ? cut_back(o, err) : n;
}

int dn_files_descriptor(struct dn_restore *r, uint32_t file_id)
{
	struct dn_open_file *f = r->files ? dn_open_file(r->files, file_id) : NULL;

	return f && f->fd >= 0 ? f->fd : -ENOENT;
}
