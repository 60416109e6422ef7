/* SPDX-License-Identifier: BSD-3-Clause */
/* smaps.c - reading /proc/PID/smaps: every mapping with its flags, in one pass
 *
 * A mapping is a line as in /proc/PID/maps followed by "Key: value" lines, of which "VmFlags:" is the
 * last.  First lines start with a lower case hexadecimal digit, the others with a capital letter.
 */
#include "memory/smaps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

#include "base/util.h"

static const char flag_names[DN_SMAPS_FLAG_COUNT][3] = {
	[DN_SMAPS_MW] = "mw", [DN_SMAPS_GD] = "gd", [DN_SMAPS_PF] = "pf", [DN_SMAPS_IO] = "io", [DN_SMAPS_LO] = "lo",
	[DN_SMAPS_LF] = "lf", [DN_SMAPS_SR] = "sr", [DN_SMAPS_RR] = "rr", [DN_SMAPS_DC] = "dc", [DN_SMAPS_AC] = "ac",
	[DN_SMAPS_NR] = "nr", [DN_SMAPS_HT] = "ht", [DN_SMAPS_SF] = "sf", [DN_SMAPS_WF] = "wf", [DN_SMAPS_DD] = "dd",
	[DN_SMAPS_HG] = "hg", [DN_SMAPS_NH] = "nh", [DN_SMAPS_MG] = "mg", [DN_SMAPS_UM] = "um", [DN_SMAPS_UW] = "uw",
	[DN_SMAPS_UI] = "ui", [DN_SMAPS_SS] = "ss", [DN_SMAPS_SL] = "sl", [DN_SMAPS_DP] = "dp",
};

/* Numbers are parsed by hand: strtoull and sscanf are half of the time otherwise.  *p moves behind the
 * digits; false when there are none. */
static bool take_hex(const char **p, uint64_t *ret)
{
	const char *c = *p;
	uint64_t v = 0;

	for (;; c++) {
		if (*c >= '0' && *c <= '9')
			v = v << 4 | (uint64_t)(*c - '0');
		else if (*c >= 'a' && *c <= 'f')
			v = v << 4 | (uint64_t)(*c - 'a' + 10);
		else
			break;
	}
	if (c == *p || c - *p > 16)
		return false;
	*p = c;
	*ret = v;
	return true;
}

static bool take_decimal(const char **p, uint64_t *ret)
{
	const char *c = *p;
	uint64_t v = 0;

	for (; *c >= '0' && *c <= '9'; c++)
		v = v * 10 + (uint64_t)(*c - '0');
	if (c == *p || c - *p > 19)
		return false;
	*p = c;
	*ret = v;
	return true;
}

static bool take_char(const char **p, char c)
{
	if (**p != c)
		return false;
	(*p)++;
	return true;
}

/* The path field; only newlines are escaped there.  False: it is longer than a path that can be used. */
static bool take_name(const char *p, char name[PATH_MAX])
{
	size_t n = 0;

	name[0] = '\0';
	while (*p) {
		if (n >= PATH_MAX - 1) {
			name[0] = '\0';
			return false;
		}
		if (!strncmp(p, "\\012", 4)) {
			name[n++] = '\n';
			p += 4;
		} else {
			name[n++] = *p++;
		}
	}
	name[n] = '\0';
	return true;
}

static bool parse_first_line(const char *p, struct dn_smaps_entry *e)
{
	uint64_t major, minor, ino;

	memset(e, 0, offsetof(struct dn_smaps_entry, name));
	e->page_size = DN_PAGE_SIZE;
	if (!take_hex(&p, &e->start) || !take_char(&p, '-') || !take_hex(&p, &e->end) || !take_char(&p, ' '))
		return false;
	if (strnlen(p, 5) < 5 || p[4] != ' ')
		return false;
	e->prot = (p[0] == 'r' ? PROT_READ : 0) | (p[1] == 'w' ? PROT_WRITE : 0) | (p[2] == 'x' ? PROT_EXEC : 0);
	e->shared = p[3] == 's';
	p += 5;
	if (!take_hex(&p, &e->offset) || !take_char(&p, ' ') || !take_hex(&p, &major) || !take_char(&p, ':') ||
	    !take_hex(&p, &minor) || !take_char(&p, ' ') || !take_decimal(&p, &ino))
		return false;
	e->dev = makedev((unsigned int)major, (unsigned int)minor);
	e->ino = ino;
	/* Padding, then the name to the end of the line, whatever is in it. */
	while (*p == ' ')
		p++;
	e->name_too_long = !take_name(p, e->name);
	return e->start < e->end && !(e->start % DN_PAGE_SIZE) && !(e->end % DN_PAGE_SIZE);
}

static uint32_t parse_flags(const char *p)
{
	uint32_t flags = 0;

	while (*p) {
		if (*p == ' ') {
			p++;
			continue;
		}
		if (!p[1])
			break;
		for (int i = 0; i < DN_SMAPS_FLAG_COUNT; i++) {
			if (p[0] == flag_names[i][0] && p[1] == flag_names[i][1])
				flags |= DN_SMAPS_BIT(i);
		}
		p += 2;
	}
	return flags;
}

/* If line starts with key, its value goes to *ret, times unit. */
static bool take_value(const char *line, const char *key, size_t key_len, uint64_t unit, uint64_t *ret)
{
	uint64_t v;

	if (strncmp(line, key, key_len))
		return false;
	const char *p = line + key_len;
	while (*p == ' ')
		p++;
	if (take_decimal(&p, &v))
		*ret = v * unit;
	return true;
}
#define TAKE_VALUE(line, key, unit, ret) take_value(line, key, sizeof(key) - 1, unit, ret)

static int parse_line(struct dn_smaps *s, const char *line, struct dn_error *err)
{
	struct dn_smaps_entry *e = &s->entry;

	if (line[0] < 'A' || line[0] > 'Z') {
		if (s->open || !parse_first_line(line, e))
			return dn_error_say(err, -EINVAL, "cannot understand \"%.200s\"", line);
		s->open = true;
		return 0;
	}
	if (!s->open)
		return dn_error_say(err, -EINVAL, "a mapping starts with \"%.200s\"", line);
	/* The first letter decides which keys are worth a comparison. */
	uint64_t value = 0;
	switch (line[0]) {
	case 'K': TAKE_VALUE(line, "KernelPageSize:", 1024, &e->page_size); break;
	case 'R': TAKE_VALUE(line, "Rss:", 1024, &e->rss); break;
	case 'A': TAKE_VALUE(line, "Anonymous:", 1024, &e->anonymous); break;
	case 'S':
		if (TAKE_VALUE(line, "Shared_Hugetlb:", 1024, &value))
			e->huge += value;
		else if (!TAKE_VALUE(line, "Shared_Clean:", 1024, &e->shared_clean) &&
			 !TAKE_VALUE(line, "Shared_Dirty:", 1024, &e->shared_dirty))
			TAKE_VALUE(line, "Swap:", 1024, &e->swap);
		break;
	case 'P':
		if (TAKE_VALUE(line, "Private_Hugetlb:", 1024, &value))
			e->huge += value;
		else if (TAKE_VALUE(line, "ProtectionKey:", 1, &value))
			e->pkey = (uint32_t)value;
		break;
	case 'V':
		if (strncmp(line, "VmFlags:", 8))
			break;
		e->flags = parse_flags(line + 8);
		s->open = false;
		return s->each(e, s->arg, err);
	}
	return 0;
}

int dn_smaps_init(struct dn_smaps *s, int (*each)(const struct dn_smaps_entry *entry, void *arg, struct dn_error *err),
		  void *arg, struct dn_error *err)
{
	char *buffer = malloc(DN_SMAPS_BUFFER);
	if (!buffer)
		return dn_error_set(err, -ENOMEM, "cannot read mappings");
	s->open = false;
	s->used = 0;
	s->buffer = buffer;
	s->each = each;
	s->arg = arg;
	return 0;
}

int dn_smaps_fed(struct dn_smaps *s, size_t len, struct dn_error *err)
{
	char *line = s->buffer, *end = s->buffer + s->used + len, *newline;

	while ((newline = memchr(line, '\n', (size_t)(end - line)))) {
		*newline = '\0';
		int r = parse_line(s, line, err);
		if (r < 0)
			return r;
		line = newline + 1;
	}
	s->used = (size_t)(end - line);
	if (s->used >= DN_SMAPS_BUFFER)
		return dn_error_say(err, -EINVAL, "a line of smaps is longer than %u bytes", DN_SMAPS_BUFFER);
	memmove(s->buffer, line, s->used);
	return 0;
}

int dn_smaps_end(struct dn_smaps *s, struct dn_error *err)
{
	if (s->open || s->used)
		return dn_error_say(err, -EINVAL, "smaps stops in the middle of a mapping");
	return 0;
}

void dn_smaps_finish(struct dn_smaps *s)
{
	free(s->buffer);
	s->buffer = NULL;
}

static int read_all(int fd, struct dn_smaps *s, struct dn_error *err)
{
	for (;;) {
		ssize_t n = read(fd, s->buffer + s->used, DN_SMAPS_BUFFER - s->used);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return dn_error_set(err, -errno, "cannot read");
		if (n == 0)
			return dn_smaps_end(s, err);
		int r = dn_smaps_fed(s, (size_t)n, err);
		if (r < 0)
			return r;
	}
}

int dn_smaps_read(pid_t pid, int (*each)(const struct dn_smaps_entry *entry, void *arg, struct dn_error *err),
		  void *arg, struct dn_error *err)
{
	char path[32];
	struct dn_smaps s;

	snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return dn_error_set(err, -errno, "cannot open %s", path);
	int r = dn_smaps_init(&s, each, arg, err);
	if (r < 0)
		return r;
	r = read_all(fd, &s, err);
	dn_smaps_finish(&s);
	return r;
}
