/* SPDX-License-Identifier: BSD-3-Clause */
/* release.c - the last steps of a seed: registers, goodbye to the arena, freedom */
#include <errno.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/proc.h"
#include "base/util.h"
#include "restore/seed.h"
#include "tracee/arena.h"
#include "tracee/control.h"

#define STOP_MS 10000u

int dn_seed_request_stop(struct dn_process *seed, struct dn_error *err)
{
	int k = 0;

	for (size_t i = 0; i < seed->thread_count && k == 0; i++)
		k = dn_thread_request_stop(seed->threads[i], err);
	return k;
}

/* The arena unmaps itself: the thread is caught at the exit of the call, before it could miss the code. */
int dn_seed_begin_unmap(struct dn_process *seed, struct dn_error *err)
{
	const unsigned char *syscall_at =
		memmem(dn_loop_code, (size_t)(dn_loop_code_end - dn_loop_code), "\x0f\x05", 2);
	uint64_t gadget = seed->arena->remote + (uint64_t)(syscall_at - dn_loop_code);
	const uint64_t args[6] = { seed->arena->remote, seed->arena->size };
	struct dn_thread *leader = seed->threads[0];
	struct user_regs_struct regs;

	for (size_t i = 0; i < seed->thread_count; i++) {
		int k = dn_thread_await_stop(seed->threads[i], STOP_MS, err);
		if (k <= 0)
			return k < 0 ? k
				     : dn_error_say(err, -ECHILD, "thread %d ended while being built",
						    seed->threads[i]->tid);
		seed->threads[i]->remote->serving = false;
	}
	int k = dn_thread_get_regs(leader, &regs, err);
	if (k < 0)
		return k;
	dn_arch_set_syscall(&regs, gadget, regs.rsp, SYS_munmap, args);
	k = dn_thread_set_regs(leader, &regs, err);
	return k < 0 ? k : dn_thread_to_syscall_stop(leader, err);
}

int dn_seed_middle_unmap(struct dn_process *seed, struct dn_error *err)
{
	int k = dn_thread_await_syscall_stop(seed->threads[0], err);
	return k < 0 ? k : dn_thread_to_syscall_stop(seed->threads[0], err);
}

static int end_unmap(struct dn_process *seed, struct dn_error *err)
{
	struct user_regs_struct regs;
	int k = dn_thread_await_syscall_stop(seed->threads[0], err);

	if (k == 0)
		k = dn_thread_get_regs(seed->threads[0], &regs, err);
	if (k == 0 && regs.rax != 0)
		k = dn_error_set(err, (int)regs.rax, "cannot unmap dunlin's memory in process %d", seed->pid);
	return k;
}

static int64_t clock_ns(clockid_t clock)
{
	struct timespec ts = {};

	clock_gettime(clock, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* Is it another start of a machine than that of the checkpoint?  Then its clocks are others, and threads that wait for
 * a moment by them go on with what was left.  (In a time namespace of its own a clock may go back as well.) */
static bool find_shift(const struct dn_restore *r, struct dn_clock_shift *ret)
{
	const Dn__ImageInfo *info = dn_image_info(r->image);
	_cleanup_text_ struct dn_text t = {};
	int64_t was = (int64_t)DN_MIN(info->monotonic_ns, (uint64_t)INT64_MAX), now = clock_ns(CLOCK_MONOTONIC);
	int64_t boot_was = (int64_t)DN_MIN(info->boottime_ns, (uint64_t)INT64_MAX);
	bool other = dn_read_text(&t, NULL, "/proc/sys/kernel/random/boot_id") == 0 && *info->boot_id &&
		     strncmp(t.data, info->boot_id, strlen(info->boot_id)) != 0;

	*ret = (struct dn_clock_shift){ now - was, clock_ns(CLOCK_BOOTTIME) - boot_was };
	return was && (other || now < was);
}

static int final_state(struct dn_thread *t, const Dn__Thread *m, const struct dn_clock_shift *shift,
		       struct dn_error *err)
{
	struct user_regs_struct regs;

	memcpy(&t->regs, m->registers.data, sizeof(t->regs));
	t->sigmask = m->signal_mask;
	dn_thread_resume_regs(t, m->remaining_ns, false, &regs);
	if (shift)
		dn_thread_shift_deadline(t, shift, &regs);
	int k = m->xsave.len ? dn_thread_set_xsave(t, m->xsave.data, m->xsave.len, err) : 0;
	if (k == 0)
		k = dn_thread_set_mask(t, t->sigmask, err);
	if (k == 0)
		k = dn_thread_set_regs(t, &regs, err);
	return k;
}

int dn_seed_complete(struct dn_restore *r, struct dn_process *seed, const struct dn_image_process *image,
		     struct dn_error *err)
{
	struct dn_clock_shift shift;
	bool shifted = find_shift(r, &shift);
	int k = end_unmap(seed, err);

	for (size_t i = 0; i < seed->thread_count && k == 0; i++)
		k = final_state(seed->threads[i], image->threads[i], shifted ? &shift : NULL, err);
	return k;
}

int dn_seed_disarm(struct dn_process *seed, struct dn_error *err)
{
	for (size_t i = 0; i < seed->thread_count; i++)
		if (ptrace(PTRACE_SETOPTIONS, seed->threads[i]->tid, NULL, 0L) < 0)
			return dn_error_set(err, -errno, "cannot disarm thread %d", seed->threads[i]->tid);
	return 0;
}

int dn_seed_release(struct dn_process *seed, struct dn_error *err)
{
	int first = 0;

	for (size_t i = 0; i < seed->thread_count; i++) {
		int k = dn_thread_detach(seed->threads[i], 0, first ? NULL : err);
		if (first == 0)
			first = k;
	}
	return first;
}
