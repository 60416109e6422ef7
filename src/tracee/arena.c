/* SPDX-License-Identifier: BSD-3-Clause */
/* arena.c - memory shared with processes, and how they learn of dunlin's death
 *
 * All of it is allocated by dunlin, in whose cgroup it then counts: a program that has used up the memory of its own
 * would be killed for it.
 *
 * The owner word of each arena is a robust futex that dunlin's thread holds.  When that thread dies,
 * however it dies, the kernel walks its robust list, marks the word FUTEX_OWNER_DIED and wakes one
 * waiter; the loop then goes home (loop_*.S).  glibc has registered a list of its own for robust
 * mutexes; nobody uses these in dunlin, so the arenas' list takes its place while arenas exist.
 */
#include "tracee/arena.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "base/util.h"
#include "image/quiet.h"

static struct robust_list_head robust;
static struct robust_list_head *previous_robust;
static size_t previous_robust_size;

static struct robust_list *node(struct dn_arena *a)
{
	struct dn_arena_header *h = (void *)(a->local + DN_ARENA_CODE);
	return (struct robust_list *)&h->robust_next;
}

static void own(struct dn_arena *a)
{
	struct dn_arena_header *h = (void *)(a->local + DN_ARENA_CODE);

	if (!robust.list.next) {
		syscall(SYS_get_robust_list, 0, &previous_robust, &previous_robust_size);
		robust.list.next = &robust.list;
		robust.futex_offset = (long)offsetof(struct dn_arena_header, owner) -
				      (long)offsetof(struct dn_arena_header, robust_next);
		syscall(SYS_set_robust_list, &robust, sizeof(robust));
	}
	h->owner = (uint32_t)gettid() | FUTEX_WAITERS;
	node(a)->next = robust.list.next;
	robust.list.next = node(a);
}

static void disown(struct dn_arena *a)
{
	for (struct robust_list *at = &robust.list; at->next && at->next != &robust.list; at = at->next) {
		if (at->next != node(a))
			continue;
		at->next = at->next->next;
		break;
	}
	if (robust.list.next == &robust.list) {
		robust.list.next = NULL;
		syscall(SYS_set_robust_list, previous_robust, previous_robust_size);
	}
}

size_t dn_arena_size(size_t processes, size_t threads)
{
	return DN_ARENA_CODE + DN_ARENA_HEADER + processes * DN_LEADER_SLOT + threads * DN_THREAD_SLOT;
}

int dn_arena_new(int fd, size_t size, uint64_t at, struct dn_arena **ret, struct dn_error *err)
{
	struct dn_arena *a = calloc(1, sizeof(*a));

	if (!a)
		return dn_error_set(err, -ENOMEM, "cannot set up shared memory");
	a->fd = fd;
	a->size = size;
	a->used = DN_ARENA_CODE + DN_ARENA_HEADER;
	int r = dn_allocate_quietly(fd, size);
	if (r < 0) {
		errno = -r;
		goto fail;
	}
	if (dn_pwrite_full(fd, dn_loop_code, (size_t)(dn_loop_code_end - dn_loop_code), 0) < 0)
		goto fail;
	a->local = mmap((void *)at, size, PROT_READ | PROT_WRITE, MAP_SHARED | (at ? MAP_FIXED_NOREPLACE : 0), fd, 0);
	if (a->local == MAP_FAILED)
		goto fail;
	a->remote = at;
	if (at && mprotect(a->local, DN_ARENA_CODE, PROT_READ | PROT_EXEC) < 0) {
		int code = -errno;
		munmap(a->local, size);
		errno = -code;
		goto fail;
	}
	own(a);
	*ret = a;
	return 0;
fail:
	dn_error_set(err, -errno, "cannot set up %zu bytes of shared memory", size);
	free(a);
	return err ? err->code : -EIO;
}

void dn_arena_free(struct dn_arena *a)
{
	if (!a)
		return;
	disown(a);
	/* A thread that could not be stopped is told to go home by itself, as the kernel would. */
	struct dn_arena_header *h = (void *)(a->local + DN_ARENA_CODE);
	__atomic_or_fetch(&h->owner, FUTEX_OWNER_DIED, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &h->owner, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
	munmap(a->local, a->size);
	if (a->fd >= 0)
		close(a->fd);
	free(a);
}

bool dn_arena_owns(const struct dn_process *p, uint64_t start, uint64_t end)
{
	return p->arena && p->arena->remote && start < p->arena->remote + p->arena->size && end > p->arena->remote;
}
