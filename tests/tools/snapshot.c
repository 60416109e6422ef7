/* SPDX-License-Identifier: BSD-3-Clause */
/* snapshot.c - everything about a process tree that can be seen from outside, as text to compare
 *
 *	snapshot [--across] PID
 *
 * Prints lines "PID TID PART VALUE" for the process and all below it, sorted by pid and tid, without what
 * changes by itself (run state, times, counters).  --across leaves out what legitimately differs between
 * a process and its restarted self: numbers of inodes that live in memory, and so on.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static bool across;

struct list {
	int *ids;
	size_t count, cap;
};

static void list_add(struct list *l, int id)
{
	if (l->count == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 64;
		l->ids = realloc(l->ids, l->cap * sizeof(*l->ids));
		if (!l->ids)
			abort();
	}
	l->ids[l->count++] = id;
}

static int compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* The numeric entries of a folder, sorted. */
static struct list list_of(const char *path)
{
	struct list l = { 0 };
	DIR *d = opendir(path);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (isdigit((unsigned char)e->d_name[0]))
			list_add(&l, atoi(e->d_name));
	if (d)
		closedir(d);
	qsort(l.ids, l.count, sizeof(*l.ids), compare);
	return l;
}

static char *slurp(const char *path, size_t *ret_len)
{
	size_t len = 0, cap = 65536;
	char *text = malloc(cap + 1);
	int fd = open(path, O_RDONLY);
	ssize_t got;

	if (fd < 0) {
		free(text);
		return NULL;
	}
	while (text && (got = read(fd, text + len, cap - len)) > 0) {
		len += (size_t)got;
		if (len == cap)
			text = realloc(text, (cap *= 2) + 1);
	}
	close(fd);
	if (!text)
		abort();
	text[len] = 0;
	if (ret_len)
		*ret_len = len;
	return text;
}

static int parent_of(int pid)
{
	char path[64], *text, *p;
	int ppid = -1;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	text = slurp(path, NULL);
	p = text ? strrchr(text, ')') : NULL;
	if (p)
		sscanf(p + 1, " %*c %d", &ppid);
	free(text);
	return ppid;
}

static struct list tree_of(int root)
{
	struct list all = list_of("/proc"), tree = { 0 };
	int *parents = calloc(all.count + 1, sizeof(int));
	size_t i, k;

	for (i = 0; i < all.count; i++)
		parents[i] = parent_of(all.ids[i]);
	list_add(&tree, root);
	for (k = 0; k < tree.count; k++)
		for (i = 0; i < all.count; i++)
			if (parents[i] == tree.ids[k])
				list_add(&tree, all.ids[i]);
	qsort(tree.ids, tree.count, sizeof(int), compare);
	free(parents);
	free(all.ids);
	return tree;
}

/* One output line; bytes that are no text are escaped. */
static void put(int pid, int tid, const char *part, const char *value, size_t len)
{
	printf("%d %d %s ", pid, tid, part);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)value[i];

		if (c == '\n' || c < 32 || c > 126)
			printf("\\x%02x", c);
		else
			putchar(c);
	}
	putchar('\n');
}

static void put_file(int pid, int tid, const char *part, const char *name)
{
	char path[128];
	size_t len;
	char *text;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	text = slurp(path, &len);
	if (text)
		put(pid, tid, part, text, len);
	free(text);
}

/* "pipe:[123]" -> "pipe:[*]"; the last part of the name of a deleted file, which may have come back without one.
 * Shared memory comes back as a memfd where there is no privilege. */
static void hide_inode(char *link)
{
	char *p = strstr(link, ":[");
	size_t len = strlen(link);

	if (!across)
		return;
	if (p && link[0] != '/')
		strcpy(p, ":[*]");
	else if (len > 10 && strcmp(link + len - 10, " (deleted)") == 0 && (p = strrchr(link, '/')) &&
		 strncmp(link, "/memfd:", 7))
		strcpy(p, "/* (deleted)");
	else if (strcmp(link, "/memfd:/dev/zero (deleted)") == 0)
		strcpy(link, "/dev/* (deleted)");
	else if (strcmp(link, "/memfd:/anon_hugepage (deleted)") == 0)
		strcpy(link, "/* (deleted)");
}

static void put_link(int pid, int tid, const char *part, const char *name)
{
	char path[128], link[4096 + 64];
	size_t prefix = 0;
	ssize_t n;

	if (isdigit((unsigned char)name[3]))
		prefix = (size_t)snprintf(link, sizeof(link), "%s ", name + 3);
	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	n = readlink(path, link + prefix, sizeof(link) - prefix - 1);
	if (n < 0)
		n = snprintf(link + prefix, sizeof(link) - prefix, "(%s)", strerror(errno));
	link[prefix + (size_t)n] = 0;
	hide_inode(link + prefix);
	put(pid, tid, part, link, strlen(link));
}

static void put_fds(int pid)
{
	char path[64];
	struct list fds;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	fds = list_of(path);
	for (size_t i = 0; i < fds.count; i++) {
		char *text, *line, *save = NULL, value[256];

		snprintf(path, sizeof(path), "fd/%d", fds.ids[i]);
		put_link(pid, pid, "fd", path);
		snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, fds.ids[i]);
		text = slurp(path, NULL);
		snprintf(value, sizeof(value), "%d", fds.ids[i]);
		for (line = text ? strtok_r(text, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save))
			if (strncmp(line, "pos:", 4) == 0)
				snprintf(value + strlen(value), sizeof(value) - strlen(value), " %s", line);
			else if (strncmp(line, "flags:", 6) == 0)
				snprintf(value + strlen(value), sizeof(value) - strlen(value), " flags %lo",
					 strtoul(line + 6, NULL, 8) & ~(across ? (unsigned long)O_TMPFILE : 0));
		free(text);
		put(pid, pid, "fdinfo", value, strlen(value));
	}
	free(fds.ids);
}

struct mapping {
	uint64_t start, end;
	char perms[8], what[4096 + 256], flags[256];
	bool anonymous;
};

static void put_mapping(int pid, const struct mapping *m)
{
	char value[sizeof(struct mapping) + 64];

	if (m->start == m->end)
		return;
	snprintf(value, sizeof(value), "%lx-%lx %s %s", m->start, m->end, m->perms, m->what);
	put(pid, pid, "maps", value, strlen(value));
	snprintf(value, sizeof(value), "%lx-%lx%s", m->start, m->end, m->flags);
	put(pid, pid, "vmflags", value, strlen(value));
}

/* A line "start-end perms offset dev inode path". */
static void parse_mapping(char *line, struct mapping *m)
{
	char offset[32], dev[32];
	unsigned long ino;
	int n = 0;

	memset(m, 0, sizeof(*m));
	if (sscanf(line, "%lx-%lx %7s %31s %31s %lu %n", &m->start, &m->end, m->perms, offset, dev, &ino, &n) < 6) {
		m->end = m->start;
		return;
	}
	line += n;
	m->anonymous = ino == 0 && !*line;
	hide_inode(line);
	if (across && (strstr(line, "(deleted)") || strncmp(line, "/memfd:", 7) == 0))
		snprintf(m->what, sizeof(m->what), "%s %s", offset, line);
	else
		snprintf(m->what, sizeof(m->what), "%s %s %lu %s", offset, dev, ino, line);
}

/* Left out are flags that hang on how a mapping came to be, not on what it is: soft-dirty; accountable, and shared of
 * what cannot be written ("ms" tells that too). */
static void parse_flags(char *flags, struct mapping *m)
{
	char *save = NULL;

	for (char *f = strtok_r(flags, " ", &save); f; f = strtok_r(NULL, " ", &save))
		if (strcmp(f, "sd") && !(across && (strcmp(f, "ac") == 0 || strcmp(f, "sh") == 0)))
			snprintf(m->flags + strlen(m->flags), sizeof(m->flags) - strlen(m->flags), " %s", f);
}

/* Neighbours that are the same are one across a restart: whether the kernel merges them hangs on their past. */
static void put_memory(int pid)
{
	static struct mapping now, before;
	char path[64], *text, *line, *save = NULL;

	memset(&before, 0, sizeof(before));
	snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
	text = slurp(path, NULL);
	for (line = text ? strtok_r(text, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save)) {
		if (isdigit((unsigned char)line[0]) || (line[0] >= 'a' && line[0] <= 'f')) {
			parse_mapping(line, &now);
		} else if (strncmp(line, "VmFlags:", 8) == 0) {
			parse_flags(line + 8, &now);
			if (across && now.anonymous && before.anonymous && before.end == now.start &&
			    strcmp(now.perms, before.perms) == 0 && strcmp(now.flags, before.flags) == 0) {
				before.end = now.end;
				continue;
			}
			put_mapping(pid, &before);
			before = now;
		}
	}
	put_mapping(pid, &before);
	free(text);
}

/* Of a zombie only what it was matters, and how it ended. */
static bool tells_of_zombies(const char *key)
{
	static const char *const keys[] = { "Name", "Tgid",  "PPid",   "TracerPid", "Uid",
					    "Gid",  "NSpid", "NSpgid", "NSsid" };

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strcmp(key, keys[i]) == 0)
			return true;
	return false;
}

static void put_status(int pid, int tid)
{
	static const char *const keys[] = {
		"Name",	       "Umask",	       "Tgid",	     "PPid",	"TracerPid",
		"Uid",	       "Gid",	       "Groups",     "NSpid",	"NSpgid",
		"NSsid",       "Threads",      "SigPnd",     "ShdPnd",	"SigBlk",
		"SigIgn",      "SigCgt",       "CapInh",     "CapPrm",	"CapEff",
		"CapBnd",      "CapAmb",       "NoNewPrivs", "Seccomp", "Speculation_Store_Bypass",
		"THP_enabled", "Cpus_allowed", "VmLck"
	};
	char path[64], *text, *line, *save = NULL;
	bool zombie = false;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/status", pid, tid);
	text = slurp(path, NULL);
	for (line = text ? strtok_r(text, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save)) {
		char *colon = strchr(line, ':');

		if (strncmp(line, "State:", 6) == 0) {
			char state = line[7] == 'R' || line[7] == 'D' ? 'S' : line[7];

			put(pid, tid, "state", &state, 1);
			zombie = state == 'Z';
			continue;
		}
		for (size_t i = 0; colon && i < sizeof(keys) / sizeof(keys[0]); i++)
			if (strlen(keys[i]) == (size_t)(colon - line) && !strncmp(line, keys[i], strlen(keys[i])) &&
			    (!zombie || tells_of_zombies(keys[i])))
				put(pid, tid, "status", line, strlen(line));
	}
	free(text);
}

static void put_scheduling(int pid, int tid)
{
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
		uint32_t util_min, util_max;
	} a = { .size = sizeof(a) };
	char value[256];

	if (syscall(SYS_sched_getattr, tid, &a, sizeof(a), 0))
		return;
	/* The runtime of an ordinary task is its slice: only deadline tasks have set it. */
	if (a.policy != 6)
		a.runtime = a.deadline = a.period = 0;
	snprintf(value, sizeof(value), "policy %u flags %llx nice %d priority %u runtime %llu ioprio %ld", a.policy,
		 (unsigned long long)a.flags, a.nice, a.priority, (unsigned long long)a.runtime,
		 syscall(SYS_ioprio_get, 1, tid));
	put(pid, tid, "sched", value, strlen(value));
}

static void put_thread(int pid, int tid)
{
	char name[64];

	put_status(pid, tid);
	put_scheduling(pid, tid);
	snprintf(name, sizeof(name), "task/%d/comm", tid);
	put_file(pid, tid, "comm", name);
}

static bool is_zombie(int pid)
{
	char path[64], *text, *p;
	bool zombie;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	text = slurp(path, NULL);
	p = text ? strrchr(text, ')') : NULL;
	zombie = p && p[1] && p[2] == 'Z';
	free(text);
	return zombie;
}

static void put_process(int pid)
{
	static const char *const files[] = { "cmdline",		"environ",	 "auxv",
					     "limits",		"oom_score_adj", "personality",
					     "coredump_filter", "timerslack_ns", "timers" };
	static const char *const links[] = { "exe", "cwd", "root" };
	char path[64];
	struct list tasks;

	if (is_zombie(pid)) {
		put_status(pid, pid);
		return;
	}
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		put_file(pid, pid, files[i], files[i]);
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		put_link(pid, pid, links[i], links[i]);
	put_fds(pid);
	put_memory(pid);
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	tasks = list_of(path);
	for (size_t i = 0; i < tasks.count; i++)
		put_thread(pid, tasks.ids[i]);
	free(tasks.ids);
}

int main(int argc, char **argv)
{
	struct list tree;

	if (argc == 3 && strcmp(argv[1], "--across") == 0) {
		across = true;
		argv++;
		argc--;
	}
	if (argc != 2) {
		fprintf(stderr, "usage: snapshot [--across] PID\n");
		return 2;
	}
	tree = tree_of(atoi(argv[1]));
	for (size_t i = 0; i < tree.count; i++)
		put_process(tree.ids[i]);
	free(tree.ids);
	return 0;
}
