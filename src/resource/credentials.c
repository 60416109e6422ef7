/* SPDX-License-Identifier: BSD-3-Clause */
/* credentials.c - user and group ids, capabilities, securebits, no_new_privs
 *
 * Theory of operation: a seed has dunlin's identity, and can become anything that is less.  The order
 * is given by what each step needs and what it destroys:
 *
 *	groups and ids	   while CAP_SETGID and CAP_SETUID are there.  SECBIT_NO_SETUID_FIXUP is set
 *			   meanwhile, or the change of uid would take capabilities away (capabilities(7)).
 *	inheritable set	   before the bounding set, which limits what may be added to it
 *	bounding set	   drops need CAP_SETPCAP
 *	ambient set	   must be part of the permitted and inheritable sets
 *	securebits	   their final value, the last thing that needs CAP_SETPCAP; after the ambient set,
 *			   which they may forbid to raise
 *	permitted set	   with the effective one: now everything surplus goes
 *	no_new_privs	   last
 *
 * Nothing is called for what is right already, so a user without privileges can restart programs
 * with the same identity.
 */
#include <errno.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "base/log.h"
#include "base/proc.h"
#include "base/util.h"
#include "resource/message.h"
#include "resource/tasks.h"

#define GROUPS_MAX 65536
#define OVERFLOW_ID 65534 /* what stands for ids that a user namespace does not know */
#define GROUPS_IN_SLOT 64 /* more than these do not fit the slot of a thread for sure */

/* clang-format off */
static const char *const cap_names[] = {
	"chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap",
	"linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw", "ipc_lock", "ipc_owner",
	"sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct", "sys_admin", "sys_boot", "sys_nice",
	"sys_resource", "sys_time", "sys_tty_config", "mknod", "lease", "audit_write", "audit_control", "setfcap",
	"mac_override", "mac_admin", "syslog", "wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf",
	"checkpoint_restore",
};
/* clang-format on */

static void cap_text(uint64_t caps, char *buf, size_t size)
{
	size_t used = 0;

	buf[0] = '\0';
	for (unsigned int i = 0; i < 64 && used < size; i++) {
		if (!(caps >> i & 1))
			continue;
		const char *sep = used ? ", " : "";
		int n = i < DN_ARRAY_LEN(cap_names) ? snprintf(buf + used, size - used, "%scap_%s", sep, cap_names[i])
						    : snprintf(buf + used, size - used, "%scapability %u", sep, i);
		used += n > 0 ? (size_t)n : 0;
	}
}

/* ---- capture ---- */

/* Numbers behind a field of a status text, to the end of its line. */
static int parse_numbers(const struct dn_text *status, const char *key, uint32_t **array, size_t *n, size_t max)
{
	const char *p = dn_text_field(status, key);

	if (!p)
		return -EINVAL;
	for (;;) {
		while (*p == ' ' || *p == '\t')
			p++;
		if (*p == '\n' || *p == '\0')
			return 0;
		char *end;
		unsigned long v = strtoul(p, &end, 10);
		if (end == p || *n >= max)
			return -EINVAL;
		uint32_t *slot = dn_message_append(array, n, sizeof(**array));
		if (!slot)
			return -ENOMEM;
		*slot = (uint32_t)v;
		p = end;
	}
}

static int parse_caps(const struct dn_text *status, const char *key, uint64_t *ret)
{
	const char *p = dn_text_field(status, key);

	if (!p)
		return -EINVAL;
	*ret = strtoull(p, NULL, 16);
	return 0;
}

/* All but the securebits, which no file tells. */
static int credentials_parse(const struct dn_text *status, Dn__Credentials *c)
{
	const char *nnp = dn_text_field(status, "NoNewPrivs");
	int r = parse_numbers(status, "Uid", &c->uids, &c->n_uids, 4);

	if (r == 0)
		r = parse_numbers(status, "Gid", &c->gids, &c->n_gids, 4);
	if (r == 0)
		r = parse_numbers(status, "Groups", &c->groups, &c->n_groups, GROUPS_MAX);
	if (r == 0)
		r = parse_caps(status, "CapInh", &c->cap_inheritable);
	if (r == 0)
		r = parse_caps(status, "CapPrm", &c->cap_permitted);
	if (r == 0)
		r = parse_caps(status, "CapEff", &c->cap_effective);
	if (r == 0)
		r = parse_caps(status, "CapBnd", &c->cap_bounding);
	if (r == 0)
		r = parse_caps(status, "CapAmb", &c->cap_ambient);
	c->no_new_privs = nnp && *nnp == '1';
	return r == 0 && (c->n_uids != 4 || c->n_gids != 4) ? -EINVAL : r;
}

/* Before the thread is made to call anything: a filter could kill it for that. */
static int check_seccomp(const struct dn_text *status, const struct dn_thread *t, struct dn_error *err)
{
	const char *mode = dn_text_field(status, "Seccomp");

	if (!mode || *mode == '0')
		return 0;
	return dn_error_refuse(err, "thread %d of process %d has seccomp %s, which cannot be captured yet", t->tid,
			       t->process->pid, *mode == '1' ? "strict mode" : "filters");
}

static int credentials_look(struct dn_capture *c, struct dn_thread *t, Dn__Process *process, Dn__Thread *thread,
			    struct dn_error *err)
{
	const struct dn_text *status;
	int r = dn_task_status(c, t, &status, err);

	if (r == 0)
		r = check_seccomp(status, t, err);
	if (r < 0)
		return r;
	thread->credentials = dn_message_new(&dn__credentials__descriptor);
	if (!thread->credentials)
		return dn_task_no_memory(t, err);
	r = credentials_parse(status, thread->credentials);
	return r < 0 ? dn_error_set(err, r, "cannot understand /proc/%d/task/%d/status", t->process->pid, t->tid) : 0;
}

static int credentials_ask(struct dn_thread *t, struct dn_batch *b, struct dn_error *err)
{
	dn_batch_call(b, "ask for the securebits", SYS_prctl, PR_GET_SECUREBITS);
	return 0;
}

static int credentials_take(struct dn_capture *c, struct dn_thread *t, const struct dn_batch *b, size_t first,
			    void *local, Dn__Process *process, Dn__Thread *thread, struct dn_error *err)
{
	thread->credentials->securebits = (uint32_t)dn_batch_result(b, first);
	thread->keep_caps = thread->credentials->securebits & SECBIT_KEEP_CAPS ? 1 : 0;
	return 0;
}

/* ---- restore ---- */

static int own_identity(struct dn_task_memo *memo, struct dn_error *err)
{
	if (memo->own)
		return 0;
	_cleanup_text_ struct dn_text status = {};
	int r = dn_read_text(&status, err, "/proc/thread-self/status");
	if (r < 0)
		return r;
	Dn__Credentials *own = dn_message_new(&dn__credentials__descriptor);
	if (!own)
		return dn_error_set(err, -ENOMEM, "cannot find out dunlin's own identity");
	r = credentials_parse(&status, own);
	if (r < 0) {
		dn__credentials__free_unpacked(own, NULL);
		return dn_error_set(err, r, "cannot understand /proc/thread-self/status");
	}
	own->securebits = (uint32_t)prctl(PR_GET_SECUREBITS);
	memo->own = own;
	return 0;
}

static bool same_numbers(const uint32_t *a, size_t na, const uint32_t *b, size_t nb)
{
	return na == nb && (na == 0 || memcmp(a, b, na * sizeof(*a)) == 0);
}

/* A user namespace made without privilege has no say in supplementary groups: they stay what they were, and those
 * that it does not know show as the overflow id. */
static bool keeps_groups(const Dn__Credentials *own, const Dn__Credentials *want)
{
	_cleanup_text_ struct dn_text t = {};

	if (own->n_groups != want->n_groups)
		return false;
	for (size_t i = 0; i < own->n_groups; i++)
		if (own->groups[i] != want->groups[i] && own->groups[i] != OVERFLOW_ID)
			return false;
	return dn_read_text(&t, NULL, "/proc/self/setgroups") == 0 && strncmp(t.data, "deny", 4) == 0;
}

/* Does this user namespace know the ids?  kind: "uid" or "gid". */
static int check_mapped(const char *kind, const uint32_t *ids, const struct dn_thread *t, struct dn_error *err)
{
	_cleanup_text_ struct dn_text text = {};

	if (dn_read_text(&text, NULL, "/proc/self/%s_map", kind) < 0)
		return 0; /* a kernel without user namespaces */
	for (size_t i = 0; i < 4; i++) {
		unsigned int inside, outside, count;
		bool mapped = false;
		int used;
		for (const char *at = text.data; sscanf(at, "%u %u %u%n", &inside, &outside, &count, &used) == 3;
		     at += used)
			mapped = mapped || ids[i] - inside < count;
		if (!mapped)
			return dn_error_say(
				err, -EPERM,
				"process %d has the %s %u, which this user namespace does not know: restart it as "
				"root, or with unshare --map-current-user --keep-caps --pid --fork --mount-proc",
				t->process->pid, kind, ids[i]);
	}
	return 0;
}

/* Is it an identity that a seed can take on? */
static int check_identity(struct dn_task_memo *memo, const struct dn_thread *t, const Dn__Credentials *want,
			  struct dn_error *err)
{
	const Dn__Credentials *own = memo->own;
	char names[512];

	if (want->n_uids != 4 || want->n_gids != 4 || want->n_groups > GROUPS_MAX ||
	    (want->cap_effective & ~want->cap_permitted) || (want->cap_ambient & ~want->cap_permitted) ||
	    (want->cap_ambient & ~want->cap_inheritable))
		return dn_error_say(err, -EINVAL, "the image is damaged: thread %d has impossible credentials", t->tid);
	int r = 0;
	if (!same_numbers(own->uids, own->n_uids, want->uids, want->n_uids))
		r = check_mapped("uid", want->uids, t, err);
	if (r == 0 && !same_numbers(own->gids, own->n_gids, want->gids, want->n_gids))
		r = check_mapped("gid", want->gids, t, err);
	if (r < 0)
		return r;
	uint64_t missing = (want->cap_permitted & ~own->cap_permitted) |
			   (want->cap_inheritable & ~(own->cap_inheritable | own->cap_bounding));
	if (missing) {
		cap_text(missing, names, sizeof(names));
		return dn_error_say(
			err, -EPERM,
			"thread %d of process %d had privileges that dunlin lacks here (%s): restart it as root, "
			"outside of a container that takes them away",
			t->tid, t->process->pid, names);
	}
	missing = want->cap_bounding & ~own->cap_bounding;
	if (missing && dn_task_say_once(memo, DN_SAID_BOUNDING)) {
		cap_text(missing, names, sizeof(names));
		dn_warn("process %d may no longer gain %s by starting other programs: dunlin's own bounding set lacks "
			"it",
			t->process->pid, names);
	}
	if (own->no_new_privs && !want->no_new_privs && dn_task_say_once(memo, DN_SAID_NO_NEW_PRIVS))
		dn_warn("process %d can no longer gain privileges by starting setuid programs: dunlin itself runs with "
			"no_new_privs",
			t->process->pid);
	return 0;
}

/* A list that is too long for the slot goes through memory of the process. */
static int set_many_groups(struct dn_thread *t, struct dn_batch *b, const Dn__Credentials *want, struct dn_error *err)
{
	size_t size = DN_ALIGN_UP(want->n_groups * sizeof(uint32_t), DN_PAGE_SIZE);
	long at;
	int r = dn_task_call_now(
		b, "get memory for groups", &at, err, SYS_mmap,
		(uint64_t[6]){ 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, ~0ULL, 0 });

	if (r < 0)
		return r;
	if (at < 0 && at >= -4095)
		return dn_error_set(err, (int)at, "cannot get memory for the groups of thread %d", t->tid);
	r = dn_process_write(t->process, (uint64_t)at, want->groups, want->n_groups * sizeof(uint32_t), err);
	if (r < 0)
		return r;
	dn_batch_call(b, "set supplementary groups", SYS_setgroups, want->n_groups, (uint64_t)at);
	dn_batch_call(b, "free the memory for groups", SYS_munmap, (uint64_t)at, size);
	return 0;
}

static int set_groups(struct dn_thread *t, struct dn_batch *b, const Dn__Credentials *want, struct dn_error *err)
{
	if (want->n_groups > GROUPS_IN_SLOT)
		return set_many_groups(t, b, want, err);
	uint64_t list = dn_batch_put(b, want->groups, want->n_groups * sizeof(uint32_t));
	dn_batch_call(b, "set supplementary groups", SYS_setgroups, want->n_groups, list);
	return 0;
}

static int set_ids(struct dn_thread *t, struct dn_batch *b, const Dn__Credentials *own, const Dn__Credentials *want,
		   struct dn_error *err)
{
	const uint32_t *u = want->uids, *g = want->gids;

	if (!same_numbers(own->groups, own->n_groups, want->groups, want->n_groups) && !keeps_groups(own, want)) {
		int r = set_groups(t, b, want, err);
		if (r < 0)
			return r;
	}
	if (!same_numbers(own->gids, own->n_gids, g, want->n_gids)) {
		dn_batch_call(b, "set group ids", SYS_setresgid, g[0], g[1], g[2]);
		dn_batch_call(b, "set the file system group id", SYS_setfsgid, g[3]);
	}
	if (!same_numbers(own->uids, own->n_uids, u, want->n_uids)) {
		dn_batch_call(b, "set user ids", SYS_setresuid, u[0], u[1], u[2]);
		dn_batch_call(b, "set the file system user id", SYS_setfsuid, u[3]);
	}
	return 0;
}

static void set_caps(struct dn_batch *b, uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ (uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable },
		{ (uint32_t)(effective >> 32), (uint32_t)(permitted >> 32), (uint32_t)(inheritable >> 32) },
	};
	uint64_t at = dn_batch_put(b, &header, sizeof(header));

	dn_batch_call(b, "set capabilities", SYS_capset, at, dn_batch_put(b, data, sizeof(data)));
}

static int set_bounding_and_ambient(struct dn_thread *t, struct dn_batch *b, const Dn__Credentials *own,
				    const Dn__Credentials *want, struct dn_error *err)
{
	uint64_t drop = own->cap_bounding & ~want->cap_bounding;
	uint64_t raise = own->cap_ambient == want->cap_ambient ? 0 : want->cap_ambient;
	int r = 0;

	for (unsigned int i = 0; i < 64 && r == 0; i++) {
		if (!(drop >> i & 1))
			continue;
		dn_batch_call(b, "drop a capability from the bounding set", SYS_prctl, PR_CAPBSET_DROP, i);
		r = dn_task_room(t, b, 4, 128, err);
	}
	if (own->cap_ambient != want->cap_ambient && own->cap_ambient)
		dn_batch_call(b, "clear ambient capabilities", SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL);
	for (unsigned int i = 0; i < 64 && r == 0; i++) {
		if (!(raise >> i & 1))
			continue;
		dn_batch_call(b, "raise an ambient capability", SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i);
		r = dn_task_room(t, b, 4, 128, err);
	}
	return r;
}

static int credentials_restore(struct dn_restore *r, struct dn_thread *t, struct dn_batch *b,
			       const Dn__Process *process, const Dn__Thread *thread, struct dn_error *err)
{
	const Dn__Credentials *want = thread->credentials;
	int k = own_identity(r->tasks, err);

	if (k < 0)
		return k;
	if (!want)
		return dn_error_say(err, -EINVAL, "the image is damaged: thread %d has no credentials", t->tid);
	k = check_identity(r->tasks, t, want, err);
	if (k < 0)
		return k;
	const Dn__Credentials *own = r->tasks->own;
	uint32_t bits = own->securebits;
	if (!same_numbers(own->uids, own->n_uids, want->uids, want->n_uids))
		bits |= SECBIT_NO_SETUID_FIXUP;
	if (bits != own->securebits)
		dn_batch_call(b, "keep capabilities while ids change", SYS_prctl, PR_SET_SECUREBITS, bits);
	k = set_ids(t, b, own, want, err);
	/* All that dunlin may do, for the steps that follow. */
	bool caps_equal = own->cap_effective == want->cap_effective && own->cap_permitted == want->cap_permitted &&
			  own->cap_inheritable == want->cap_inheritable;
	if (k == 0)
		k = dn_task_room(t, b, 4, 128, err);
	if (k == 0 && !caps_equal)
		set_caps(b, own->cap_permitted, own->cap_permitted, want->cap_inheritable);
	if (k == 0)
		k = set_bounding_and_ambient(t, b, own, want, err);
	if (k < 0)
		return k;
	if (bits != want->securebits) {
		/* One of them is anyone's to change. */
		if ((bits ^ want->securebits) == SECBIT_KEEP_CAPS)
			dn_batch_call(b, "set the flag to keep capabilities", SYS_prctl, PR_SET_KEEPCAPS,
				      !!(want->securebits & SECBIT_KEEP_CAPS));
		else
			dn_batch_call(b, "set securebits", SYS_prctl, PR_SET_SECUREBITS, want->securebits);
	}
	if (!caps_equal)
		set_caps(b, want->cap_effective, want->cap_permitted, want->cap_inheritable);
	if (want->no_new_privs && !own->no_new_privs)
		dn_batch_call(b, "set no_new_privs", SYS_prctl, PR_SET_NO_NEW_PRIVS, 1);
	return 0;
}

/* ---- zombies ---- */

int dn_zombie_capture(pid_t pid, const struct dn_text *status, Dn__Process *process, struct dn_error *err)
{
	const char *blocked = dn_text_field(status, "SigBlk");

	process->zombie_mask = blocked ? strtoull(blocked, NULL, 16) : 0;
	process->zombie_credentials = dn_message_new(&dn__credentials__descriptor);
	if (!process->zombie_credentials)
		return dn_error_set(err, -ENOMEM, "cannot describe process %d", pid);
	int r = credentials_parse(status, process->zombie_credentials);
	return r < 0 ? dn_error_set(err, r, "cannot understand /proc/%d/status", pid) : 0;
}

void dn_zombie_restore(struct dn_batch *b, const Dn__Process *process)
{
	const Dn__Credentials *c = process->zombie_credentials;

	if (!c)
		return;
	if (c->n_groups <= GROUPS_IN_SLOT)
		dn_batch_try(b, NULL, SYS_setgroups, c->n_groups,
			     dn_batch_put(b, c->groups, c->n_groups * sizeof(uint32_t)));
	dn_batch_try(b, NULL, SYS_setresgid, c->gids[0], c->gids[1], c->gids[2]);
	dn_batch_try(b, NULL, SYS_setresuid, c->uids[0], c->uids[1], c->uids[2]);
}

const struct dn_task_driver dn_task_credentials = {
	.name = "credentials",
	.scope = DN_SCOPE_THREAD,
	.look = credentials_look,
	.ask = credentials_ask,
	.take = credentials_take,
	.stage = DN_STAGE_IDENTITY,
	.restore = credentials_restore,
};
