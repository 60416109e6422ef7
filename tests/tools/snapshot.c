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

/* "pipe:[123]" -> "pipe:[*]" */
static void hide_inode(char *link)
{
	char *p = strstr(link, ":[");

	if (across && p && link[0] != '/')
		strcpy(p, ":[*]");
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
			if (strncmp(line, "pos:", 4) == 0 || strncmp(line, "flags:", 6) == 0)
				snprintf(value + strlen(value), sizeof(value) - strlen(value), " %s", line);
		free(text);
		put(pid, pid, "fdinfo", value, strlen(value));
	}
	free(fds.ids);
}

/* "start-end perms offset dev inode path"; [heap] and [stack] are told apart by address only. */
static void put_map(int pid, char *line)
{
	char where[64], perms[8], offset[32], dev[32], value[4096 + 256];
	unsigned long ino;
	int n = 0;

	if (sscanf(line, "%63s %7s %31s %31s %lu %n", where, perms, offset, dev, &ino, &n) < 5)
		return;
	if (across && (strstr(line + n, "(deleted)") || strncmp(line + n, "/memfd:", 7) == 0 ||
		       strncmp(line + n, "/dev/zero", 9) == 0))
		snprintf(value, sizeof(value), "%s %s %s %s", where, perms, offset, line + n);
	else
		snprintf(value, sizeof(value), "%s %s %s %s %lu %s", where, perms, offset, dev, ino, line + n);
	put(pid, pid, "maps", value, strlen(value));
}

/* Flags that hang on how a mapping came to be, not on what it is: accountable, soft-dirty. */
static void put_vmflags(int pid, const char *where, char *flags)
{
	char value[512], *save = NULL;

	snprintf(value, sizeof(value), "%s", where);
	for (char *f = strtok_r(flags, " ", &save); f; f = strtok_r(NULL, " ", &save))
		if (strcmp(f, "sd") && !(across && strcmp(f, "ac") == 0))
			snprintf(value + strlen(value), sizeof(value) - strlen(value), " %s", f);
	put(pid, pid, "vmflags", value, strlen(value));
}

static void put_memory(int pid)
{
	char path[64], where[64] = "", *text, *line, *save = NULL;

	snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
	text = slurp(path, NULL);
	for (line = text ? strtok_r(text, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save)) {
		if (isdigit((unsigned char)line[0]) || (line[0] >= 'a' && line[0] <= 'f')) {
			snprintf(where, sizeof(where), "%.*s", (int)strcspn(line, " "), line);
			put_map(pid, line);
		} else if (strncmp(line, "VmFlags:", 8) == 0) {
			put_vmflags(pid, where, line + 8);
		}
	}
	free(text);
}

static void put_status(int pid, int tid)
{
	static const char *const keys[] = { "Name", "Umask", "Tgid", "PPid", "TracerPid", "Uid", "Gid", "Groups",
					    "NSpid", "NSpgid", "NSsid", "Threads", "SigPnd", "ShdPnd", "SigBlk",
					    "SigIgn", "SigCgt", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb",
					    "NoNewPrivs", "Seccomp", "Speculation_Store_Bypass", "THP_enabled",
					    "Cpus_allowed", "VmLck" };
	char path[64], *text, *line, *save = NULL;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/status", pid, tid);
	text = slurp(path, NULL);
	for (line = text ? strtok_r(text, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save)) {
		char *colon = strchr(line, ':');

		if (strncmp(line, "State:", 6) == 0) {
			char state = line[7] == 'R' || line[7] == 'D' ? 'S' : line[7];

			put(pid, tid, "state", &state, 1);
			continue;
		}
		for (size_t i = 0; colon && i < sizeof(keys) / sizeof(keys[0]); i++)
			if (strlen(keys[i]) == (size_t)(colon - line) && !strncmp(line, keys[i], strlen(keys[i])))
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

static void put_process(int pid)
{
	static const char *const files[] = { "cmdline",	    "environ",	      "auxv",	     "limits",	"oom_score_adj",
					     "personality", "coredump_filter", "timerslack_ns", "timers" };
	static const char *const links[] = { "exe", "cwd", "root" };
	char path[64];
	struct list tasks;

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
