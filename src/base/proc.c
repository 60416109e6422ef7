/* SPDX-License-Identifier: BSD-3-Clause */
/* proc.c - reading /proc */
#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>

#include "base/util.h"

void dn_text_finish(struct dn_text *t)
{
	free(t->data);
	*t = (struct dn_text){};
}

static int read_all(int fd, struct dn_text *t)
{
	t->len = 0;
	for (;;) {
		if (t->cap - t->len < 2048) {
			size_t cap = t->cap ? t->cap * 2 : 8192;
			char *data = realloc(t->data, cap);
			if (!data)
				return -ENOMEM;
			t->data = data;
			t->cap = cap;
		}
		ssize_t n = read(fd, t->data + t->len, t->cap - t->len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		t->len += (size_t)n;
		t->data[t->len] = '\0';
		if (n == 0)
			return 0;
	}
}

int dn_read_text(struct dn_text *t, struct dn_error *err, const char *fmt, ...)
{
	char path[PATH_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return dn_error_set(err, -errno, "cannot open %s", path);
	int r = read_all(fd, t);
	if (r < 0)
		return dn_error_set(err, r, "cannot read %s", path);
	return 0;
}

const char *dn_text_field(const struct dn_text *t, const char *key)
{
	size_t n = strlen(key);

	for (const char *line = t->data; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		if (strncmp(line, key, n) || line[n] != ':')
			continue;
		line += n + 1;
		while (*line == ' ' || *line == '\t')
			line++;
		return line;
	}
	return NULL;
}

int dn_stat_parse(const char *text, struct dn_stat *ret)
{
	struct dn_stat s = {};
	const char *open = strchr(text, '('), *close = strrchr(text, ')');

	if (!open || !close || close < open)
		return -EINVAL;
	size_t n = DN_MIN((size_t)(close - open - 1), sizeof(s.comm) - 1);
	memcpy(s.comm, open + 1, n);
	/* Field numbers as in proc(5); 3 is the state. */
	const char *p = close + 1;
	for (int field = 3; field <= 52; field++) {
		while (*p == ' ')
			p++;
		if (!*p || *p == '\n')
			return -EINVAL;
		char *end = NULL;
		if (field == 3) {
			s.state = *p;
			end = (char *)p + 1;
		} else {
			uint64_t v = strtoull(p, &end, 10);
			if (end == p)
				return -EINVAL;
			switch (field) {
			case 4: s.ppid = (pid_t)v; break;
			case 5: s.pgrp = (pid_t)v; break;
			case 6: s.sid = (pid_t)v; break;
			case 7: s.tty_nr = (int)v; break;
			case 8: s.tpgid = (pid_t)v; break;
			case 9: s.flags = (unsigned int)v; break;
			case 20: s.num_threads = (unsigned int)v; break;
			case 22: s.start_time = v; break;
			case 26: s.start_code = v; break;
			case 27: s.end_code = v; break;
			case 28: s.start_stack = v; break;
			case 38: s.exit_signal = (int)v; break;
			case 39: s.processor = (int)v; break;
			case 45: s.start_data = v; break;
			case 46: s.end_data = v; break;
			case 47: s.start_brk = v; break;
			case 48: s.arg_start = v; break;
			case 49: s.arg_end = v; break;
			case 50: s.env_start = v; break;
			case 51: s.env_end = v; break;
			case 52: s.exit_code = (int)v; break;
			}
		}
		p = end;
	}
	*ret = s;
	return 0;
}

int dn_stat_read(pid_t pid, pid_t tid, struct dn_stat *ret, struct dn_error *err)
{
	_cleanup_text_ struct dn_text t = {};
	int r = tid ? dn_read_text(&t, err, "/proc/%d/task/%d/stat", pid, tid)
		    : dn_read_text(&t, err, "/proc/%d/stat", pid);
	if (r < 0)
		return r;
	if (dn_stat_parse(t.data, ret) < 0)
		return dn_error_say(err, -EINVAL, "cannot understand /proc/%d/stat", pid);
	return 0;
}
