/* SPDX-License-Identifier: BSD-3-Clause */
/* ancestors.c - what the tree shares with the processes that it comes from, which are not captured
 *
 * A pipe with both ends in the tree, shared memory and deleted files come back as ones of the tree's own.  If
 * the one who started it has them too (make and the pipe with its tokens, a server and its workers' memory),
 * they part there, which is said.  Nobody else is asked: that would mean to look at every process of the machine.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/sysmacros.h>

#include "base/log.h"
#include "base/util.h"
#include "resource/filetable.h"

#define ANCESTORS_MAX 16

struct ancestor {
	struct dn_file_table *table;
	struct dn_stat stat;
	pid_t pid;
};

static void say(const struct ancestor *a, const char *what, bool *said)
{
	if (!*said)
		dn_warn("%s is shared with process %d (%s), which is not captured: after a restart it is not", what,
			a->pid, a->stat.comm);
	*said = true;
}

static void look_at_inode(const struct ancestor *a, dev_t dev, ino_t ino, const char *name)
{
	uint32_t id = dn_idmap_get(&a->table->map, DN_KEY_OBJECT, dev, ino);

	if (id)
		say(a, name, &a->table->objects[id - 1].shared_outside);
	id = dn_idmap_get(&a->table->map, DN_KEY_PIPE, dev, ino);
	if (id && !a->table->pipes[id - 1].outside && !a->table->pipes[id - 1].fifo)
		say(a, name, &a->table->pipes[id - 1].shared_outside);
}

static bool is_without_path(const char *link)
{
	size_t n = strlen(link);

	return !strncmp(link, "pipe:", 5) || (n > 10 && !strcmp(link + n - 10, " (deleted)"));
}

static void look_at_descriptors(const struct ancestor *a)
{
	char path[32], link[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/fd", a->pid);
	DIR *d = opendir(path);
	if (!d)
		return;
	for (struct dirent *e; (e = readdir(d));) {
		ssize_t n = readlinkat(dirfd(d), e->d_name, link, sizeof(link) - 1);
		if (n < 0)
			continue;
		link[n] = '\0';
		if (is_without_path(link) && fstatat(dirfd(d), e->d_name, &st, 0) == 0)
			look_at_inode(a, st.st_dev, st.st_ino, link);
	}
	closedir(d);
}

static void look_at_mappings(const struct ancestor *a)
{
	_cleanup_text_ struct dn_text text = {};

	if (dn_read_text(&text, NULL, "/proc/%d/maps", a->pid) < 0)
		return;
	for (char *line = text.data, *next; line && *line; line = next) {
		unsigned int major, minor;
		unsigned long ino;
		char shared;
		int name = 0;
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (sscanf(line, "%*x-%*x %*3c%c %*x %x:%x %lu %n", &shared, &major, &minor, &ino, &name) >= 4 &&
		    shared == 's' && name && is_without_path(line + name))
			look_at_inode(a, makedev(major, minor), ino, line + name);
	}
}

static bool has_inner_pipe(const struct dn_file_table *t)
{
	for (size_t i = 0; i < t->pipe_count; i++)
		if (!t->pipes[i].outside && !t->pipes[i].fifo)
			return true;
	return false;
}

void dn_ancestors_look(struct dn_capture *c)
{
	struct ancestor a = { .table = c->files };
	pid_t pid = c->process_count ? c->processes[0]->pid : 0;

	if (!c->files->object_count && !has_inner_pipe(c->files))
		return;
	for (int i = 0; i < ANCESTORS_MAX && pid > 0 && dn_stat_read(pid, 0, &a.stat, NULL) == 0; i++) {
		a.pid = pid;
		pid = a.stat.ppid;
		if (i == 0) /* the root itself */
			continue;
		look_at_descriptors(&a);
		look_at_mappings(&a);
	}
}
