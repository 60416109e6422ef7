/* SPDX-License-Identifier: BSD-3-Clause */
/* limits.c - resource limits
 *
 * They are read from /proc and set by the process itself: prlimit() on another user's process needs
 * CAP_SYS_RESOURCE, which even root may lack.  Lowering needs nothing; raising a hard limit above
 * dunlin's own needs that capability, and is tried from outside, where dunlin's counts.
 */
#include <errno.h>
#include <sys/syscall.h>

#include "base/log.h"
#include "base/proc.h"
#include "base/util.h"
#include "resource/message.h"
#include "resource/tasks.h"

/* As /proc/PID/limits names them, by number. */
static const char *const limit_names[RLIM_NLIMITS] = {
	[RLIMIT_CPU] = "Max cpu time",
	[RLIMIT_FSIZE] = "Max file size",
	[RLIMIT_DATA] = "Max data size",
	[RLIMIT_STACK] = "Max stack size",
	[RLIMIT_CORE] = "Max core file size",
	[RLIMIT_RSS] = "Max resident set",
	[RLIMIT_NPROC] = "Max processes",
	[RLIMIT_NOFILE] = "Max open files",
	[RLIMIT_MEMLOCK] = "Max locked memory",
	[RLIMIT_AS] = "Max address space",
	[RLIMIT_LOCKS] = "Max file locks",
	[RLIMIT_SIGPENDING] = "Max pending signals",
	[RLIMIT_MSGQUEUE] = "Max msgqueue size",
	[RLIMIT_NICE] = "Max nice priority",
	[RLIMIT_RTPRIO] = "Max realtime priority",
	[RLIMIT_RTTIME] = "Max realtime timeout",
};

/* ---- capture ---- */

static int parse_limit(const char **p, uint64_t *ret)
{
	static const char unlimited[] = "unlimited";
	char *end;

	while (**p == ' ')
		(*p)++;
	if (strncmp(*p, unlimited, sizeof(unlimited) - 1) == 0) {
		*ret = RLIM_INFINITY;
		*p += sizeof(unlimited) - 1;
		return 0;
	}
	*ret = strtoull(*p, &end, 10);
	if (end == *p)
		return -EINVAL;
	*p = end;
	return 0;
}

static int limits_take(struct dn_capture *c, struct dn_thread *t, const struct dn_batch *b, size_t first, void *local,
		       Dn__Process *process, Dn__Thread *thread, struct dn_error *err)
{
	_cleanup_text_ struct dn_text text = {};
	int r = dn_read_text(&text, err, "/proc/%d/limits", t->process->pid);

	if (r < 0)
		return r;
	for (uint32_t i = 0; i < RLIM_NLIMITS; i++) {
		const char *p = strstr(text.data, limit_names[i]);
		uint64_t soft, hard;
		if (p)
			p += strlen(limit_names[i]);
		if (!p || parse_limit(&p, &soft) < 0 || parse_limit(&p, &hard) < 0)
			return dn_error_say(err, -EINVAL, "cannot find \"%s\" in /proc/%d/limits", limit_names[i],
					    t->process->pid);
		Dn__Limit *l = dn_message_add(&process->limits, &process->n_limits, &dn__limit__descriptor);
		if (!l)
			return dn_task_no_memory(t, err);
		l->resource = i;
		l->soft = soft;
		l->hard = hard;
	}
	return 0;
}

/* ---- restore ---- */

static int own_limits(struct dn_task_memo *memo, struct dn_error *err)
{
	for (int i = 0; i < RLIM_NLIMITS && !memo->have_limits; i++)
		if (getrlimit((__rlimit_resource_t)i, &memo->limits[i]) < 0)
			return dn_error_set(err, -errno, "cannot get dunlin's own limits");
	memo->have_limits = true;
	return 0;
}

static void limit_text(uint64_t value, char buf[24])
{
	if (value == RLIM_INFINITY)
		snprintf(buf, 24, "unlimited");
	else
		snprintf(buf, 24, "%llu", (unsigned long long)value);
}

/* A hard limit above that of the seed.  If it cannot be had, *want becomes what can. */
static int raise_limit(struct dn_restore *r, struct dn_thread *t, uint32_t resource, struct rlimit *want,
		       struct dn_error *err)
{
	rlim_t have = r->tasks->limits[resource].rlim_max;
	char hard[24], most[24];

	if (prlimit(t->process->pid, (__rlimit_resource_t)resource, want, NULL) == 0)
		return 0;
	if (errno != EPERM)
		return dn_error_set(err, -errno, "cannot set limit \"%s\" of process %d", limit_names[resource],
				    t->process->pid);
	limit_text(want->rlim_max, hard);
	limit_text(have, most);
	if (dn_task_say_once(r->tasks, DN_SAID_LIMIT + resource))
		dn_warn("process %d had a hard limit \"%s\" of %s; the most that dunlin may give it here is %s (more "
			"needs "
			"CAP_SYS_RESOURCE, or a higher limit before dunlin is started)",
			t->process->pid, limit_names[resource], hard, most);
	want->rlim_max = have;
	want->rlim_cur = DN_MIN(want->rlim_cur, have);
	return 0;
}

static int limits_restore(struct dn_restore *r, struct dn_thread *t, struct dn_batch *b, const Dn__Process *process,
			  const Dn__Thread *thread, struct dn_error *err)
{
	int k = own_limits(r->tasks, err);

	for (size_t i = 0; i < process->n_limits && k == 0; i++) {
		const Dn__Limit *l = process->limits[i];
		if (l->resource >= RLIM_NLIMITS || l->soft > l->hard)
			return dn_error_say(err, -EINVAL, "the image is damaged: process %d has an impossible limit %u",
					    t->process->pid, l->resource);
		struct rlimit want = { .rlim_cur = l->soft, .rlim_max = l->hard };
		if (want.rlim_max > r->tasks->limits[l->resource].rlim_max)
			k = raise_limit(r, t, l->resource, &want, err);
		if (k == 0)
			k = dn_task_room(t, b, 2, 64, err);
		if (k == 0)
			dn_batch_call(b, "set a resource limit", SYS_prlimit64, 0, l->resource,
				      dn_batch_put(b, &want, sizeof(want)));
	}
	return k;
}

const struct dn_task_driver dn_task_limits = {
	.name = "limits",
	.scope = DN_SCOPE_PROCESS,
	.take = limits_take,
	.stage = DN_STAGE_LAST,
	.restore = limits_restore,
};
