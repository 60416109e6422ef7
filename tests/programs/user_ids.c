/* SPDX-License-Identifier: BSD-3-Clause */
/* user_ids.c - user and group ids of all four kinds, and groups, other ones in each process
 *
 * not: user userns (an ordinary user has one id)
 */
#include <grp.h>
#include <sys/fsuid.h>

#include "victim.h"

struct ids {
	uid_t real, effective, saved, fs;
	gid_t greal, geffective, gsaved, gfs;
	size_t count;
	gid_t groups[200];
};

static struct ids all[] = {
	{ 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 3, { 4, 1000, 4000000000 } },
	{ 1, 2, 3, 2, 4, 5, 6, 5, 1, { 7 } },
	{ 0, 1001, 0, 1001, 0, 1002, 0, 1002, 0, {} },
	{ 0, 0, 0, 33, 0, 0, 0, 34, 0, {} },
	{ 65534, 65534, 65534, 65534, 65534, 65534, 65534, 65534, 200, {} },
};

static void child(void *arg)
{
	struct ids *i = arg;
	uid_t r = 0, e = 0, s = 0;
	gid_t groups[256];
	int count;

	if (i->count == 200)
		for (size_t k = 0; k < i->count; k++)
			i->groups[k] = (gid_t)(k * k + 10);
	can(setgroups(i->count, i->groups));
	can(setresgid(i->greal, i->geffective, i->gsaved));
	setfsgid(i->gfs);
	can(setresuid(i->real, i->effective, i->saved));
	setfsuid(i->fs);
	victim_here();
	victim_wait();
	getresuid(&r, &e, &s);
	check(r == i->real && e == i->effective && s == i->saved, "uids: %u %u %u", r, e, s);
	check((uid_t)setfsuid((uid_t)-1) == i->fs, "fsuid: %d", setfsuid((uid_t)-1));
	getresgid(&r, &e, &s);
	check(r == i->greal && e == i->geffective && s == i->gsaved, "gids: %u %u %u", r, e, s);
	check((gid_t)setfsgid((gid_t)-1) == i->gfs, "fsgid: %d", setfsgid((gid_t)-1));
	count = getgroups(256, groups);
	check(count == (int)i->count, "groups: expected %zu, got %d", i->count, count);
	/* The kernel sorts them: so are those above. */
	for (int k = 0; k < count && k < (int)i->count; k++)
		check(groups[k] == i->groups[k], "group %d: expected %u, got %u", k, i->groups[k], groups[k]);
}

int main(void)
{
	pid_t pids[COUNT(all)];

	if (geteuid() != 0)
		victim_skip("needs root");
	victim_gate();
	for (size_t i = 0; i < COUNT(all); i++)
		pids[i] = victim_fork(child, &all[i]);
	victim_all_here(COUNT(all));
	victim_ready();
	victim_wait();
	for (size_t i = 0; i < COUNT(all); i++)
		victim_join(pids[i]);
	check(getuid() == 0 && geteuid() == 0, "root became uid %d", getuid());
	return victim_end();
}
