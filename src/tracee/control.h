/* SPDX-License-Identifier: BSD-3-Clause */
/* control.h - stopping, continuing and changing single threads by ptrace */
#pragma once

#include "tracee/slot.h"
#include "tracee/tracee.h"

#define DN_PTRACE_OPTIONS (PTRACE_O_TRACESYSGOOD)

/* SEIZE; the thread runs on.  -ESRCH: it is gone.  -EPERM: says who traces it, refused. */
int dn_thread_seize(struct dn_thread *t, long options, struct dn_error *err);
/* Asks for a stop and does not wait for it. */
int dn_thread_request_stop(struct dn_thread *t, struct dn_error *err);
/* Waits for the stop that was asked for.  1: stopped; 0: the thread is gone; -ETIMEDOUT, refused. */
int dn_thread_await_stop(struct dn_thread *t, unsigned int timeout_ms, struct dn_error *err);
/* request_stop and await_stop; a thread that is gone is an error. */
int dn_thread_interrupt(struct dn_thread *t, struct dn_error *err);
/* After a serving thread did not answer for a while: is it still there and not stopped by a signal? */
int dn_thread_check_running(struct dn_thread *t, struct dn_error *err);
int dn_thread_continue(struct dn_thread *t, int sig, struct dn_error *err);
int dn_thread_detach(struct dn_thread *t, int sig, struct dn_error *err);

int dn_thread_get_regs(struct dn_thread *t, struct user_regs_struct *regs, struct dn_error *err);
int dn_thread_set_regs(struct dn_thread *t, const struct user_regs_struct *regs, struct dn_error *err);
int dn_thread_get_mask(struct dn_thread *t, uint64_t *mask, struct dn_error *err);
int dn_thread_set_mask(struct dn_thread *t, uint64_t mask, struct dn_error *err);
/* Allocates t->xsave. */
int dn_thread_get_xsave(struct dn_thread *t, struct dn_error *err);
int dn_thread_set_xsave(struct dn_thread *t, const void *data, size_t size, struct dn_error *err);

/* From one system call stop (entry or exit) to the next. */
int dn_thread_next_syscall_stop(struct dn_thread *t, struct dn_error *err);
/* Its two halves. */
int dn_thread_to_syscall_stop(struct dn_thread *t, struct dn_error *err);
int dn_thread_await_syscall_stop(struct dn_thread *t, struct dn_error *err);

/* ---- what differs between processors (arch/) ---- */

/* Registers for serving a slot; for a thread that cannot go home, a stack pointer that hurts nobody. */
void dn_arch_enter_loop(struct user_regs_struct *regs, uint64_t code, uint64_t slot_remote, const struct dn_slot *s);
/* Fills the home part of a slot: where a thread that is stopped with regs goes on when dunlin dies. */
void dn_arch_home(struct dn_slot *s, const struct user_regs_struct *regs, uint64_t sigmask);
/* Registers as user space would see them, had the kernel restarted the interrupted call already. */
void dn_arch_restarted(struct user_regs_struct *regs);
/* A signal frame that brings back regs, mask and floating point state by sigreturn.  Returns its size,
 * 0 if it does not fit; *ret_sp is the stack pointer for the gadget call. */
size_t dn_arch_signal_frame(void *buf, size_t size, uint64_t at, const struct user_regs_struct *regs, uint64_t sigmask,
			    const void *xsave, size_t xsave_size, uint64_t sigreturn_ip);
/* The part of a signal frame that holds the registers; words is its size, and where the instruction pointer is. */
#define DN_ARCH_FRAME_WORDS 19
#define DN_ARCH_FRAME_IP 16
/* If it is of a thread on its last steps in the loop at `code`: makes it that of the thread at home. */
bool dn_arch_frame_home(struct dn_process *p, uint64_t code, uint64_t frame[DN_ARCH_FRAME_WORDS]);
/* Registers for one system call at the gadget (an instruction pair: system call, return). */
void dn_arch_set_syscall(struct user_regs_struct *regs, uint64_t gadget, uint64_t sp, long nr, const uint64_t args[6]);
/* State of a stopped thread's processor that is neither in registers nor in XSAVE, and not captured: what it is;
 * NULL: none. */
const char *dn_arch_odd_state(struct dn_thread *t);
/* For a loop that waits for another processor. */
static inline void dn_arch_pause(void)
{
	__builtin_ia32_pause();
}
/* Offsets of the gadgets in a piece of code, -1 if there is none. */
long dn_arch_find_syscall(const unsigned char *code, size_t len);
long dn_arch_find_sigreturn(const unsigned char *code, size_t len);

#define DN_ARCH_FEATURE_WORDS 5
/* The instruction sets of this processor that programs use. */
void dn_arch_features(uint32_t ret[DN_ARCH_FEATURE_WORDS]);
/* Does this processor lack any of them?  Their names, separated by blanks. */
bool dn_arch_missing(const uint32_t *wanted, size_t count, char *names, size_t size);

/* ---- process parts ---- */

int dn_process_new(pid_t pid, struct dn_process **ret, struct dn_error *err);
void dn_process_free(struct dn_process *p);
int dn_process_add_thread(struct dn_process *p, pid_t tid, struct dn_thread **ret, struct dn_error *err);
/* One that has ended. */
void dn_process_forget_thread(struct dn_process *p, size_t i);

/* Stops all threads of a process.  First a look at those that sleep in timed calls, then SEIZE, INTERRUPT,
 * until no new thread shows up; registers, masks and XSAVE state are read. */
int dn_process_look(struct dn_process *p, struct dn_error *err);
int dn_process_hold(struct dn_process *p, unsigned int timeout_ms, struct dn_error *err);
/* Its first half, for those that are to be held later: threads known so far are asked to stop. */
int dn_process_begin_hold(struct dn_process *p, struct dn_error *err);

/* Registers, mask, XSAVE state and sleep of a thread that was just stopped; sets right what the stop changed. */
int dn_thread_read_state(struct dn_thread *t, struct dn_error *err);

/* Gives all threads of held processes a remote: puts an arena into each.  Many at a time, because most of
 * it is waiting for them. */
int dn_processes_attach(struct dn_process **p, size_t n, struct dn_error *err);
/* Takes everything away again and lets the processes go on: the mirror of hold and attach, from wherever
 * these got to.  Goes as far as it can; the first error is reported. */
int dn_processes_release(struct dn_process **p, size_t n, struct dn_error *err);

/* ---- interrupted system calls (resume.c) ---- */

/* What is left of the timeout of the timed call that the thread was interrupted in, ns; -1: none.  To be asked
 * once, at the stop: resuming may rewrite the memory that tells it. */
int64_t dn_syscall_remaining(struct dn_thread *t);
/* Makes regs such that the thread goes on as if it had not been held: an interrupted call is restarted,
 * a timed one with what is left of its timeout (scratch memory below the red zone is used for it).
 * kernel_knows: its restart block is intact, a call that it restarted already can be left to it. */
void dn_thread_resume_regs(struct dn_thread *t, int64_t remaining_ns, bool kernel_knows, struct user_regs_struct *regs);
/* How much later it is by the clocks that count from the start of a machine. */
struct dn_clock_shift {
	int64_t monotonic_ns, boottime_ns;
};
/* A call that waits for a moment by such a clock waits for the same moment by another machine's. */
void dn_thread_shift_deadline(struct dn_thread *t, const struct dn_clock_shift *shift, struct user_regs_struct *regs);
/* Is the system call that the thread is in a timed one?  Used by dn_process_look. */
bool dn_syscall_is_timed(long nr);
/* Does a mere stop make the system call return EINTR? */
bool dn_syscall_shows_stop(long nr);
/* The registers as an image keeps them: a call that the kernel restarted already goes by its own number again. */
void dn_thread_image_regs(struct dn_thread *t, struct user_regs_struct *regs);
/* Did a call return EINTR that would have been restarted, were it like its relatives? */
bool dn_syscall_hides_restart(const struct user_regs_struct *regs);
