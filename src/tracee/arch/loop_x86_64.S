/* SPDX-License-Identifier: BSD-3-Clause */
/* loop_x86_64.S - the only code that dunlin puts into a program
 *
 * Rules: position independent, no stack, no data of its own, touches only its slot (rbx) and the arena's
 * owner word.  All signals are blocked while it runs.  It serves batches of system calls; between two
 * calls it looks whether dunlin is dead (the kernel marked the robust futex `owner`), and if so goes home
 * by itself: signal mask back, registers back, on with the program as if nothing had been.  It must not
 * use rt_sigreturn for that (which would make an EINTR out of a sleep that is to be restarted), nor timed
 * sleeps (which would overwrite the thread's restart block).
 */
#include "tracee/slot.h"

#define SYS_rt_sigprocmask 14
#define SYS_futex 202
#define SYS_futex_waitv 449
#define FUTEX_WAKE 1
#define FUTEX_OWNER_DIED 0x40000000

	.section .rodata
	.globl dn_loop_code, dn_loop_code_end
	.hidden dn_loop_code, dn_loop_code_end
	.balign 64
dn_loop_code:
.Lserve:
	mov DN_SLOT_OWNER_PTR(%rbx), %rax
	testl $FUTEX_OWNER_DIED, (%rax)
	jnz .Lhome
	mov DN_SLOT_POSTED(%rbx), %eax
	cmp DN_SLOT_DONE(%rbx), %eax
	je .Lwait
	lea DN_SLOT_RECORDS(%rbx), %r12
	mov DN_SLOT_COUNT(%rbx), %r13d
.Lnext:
	test %r13d, %r13d
	jz .Lfinished
	mov DN_SLOT_OWNER_PTR(%rbx), %rax
	testl $FUTEX_OWNER_DIED, (%rax)
	jnz .Lhome
	mov (%r12), %rax
	mov 8(%r12), %rdi
	mov 16(%r12), %rsi
	mov 24(%r12), %rdx
	mov 32(%r12), %r10
	mov 40(%r12), %r8
	mov 48(%r12), %r9
	syscall
	mov %rax, DN_RECORD_RESULT(%r12)
	incl DN_SLOT_EXECUTED(%rbx)
	cmp $-4095, %rax
	jb .Lgood
	cmpq $0, DN_RECORD_MAY_FAIL(%r12)
	je .Lfinished
.Lgood:
	add $DN_RECORD_SIZE, %r12
	dec %r13d
	jmp .Lnext
.Lfinished:
	mov DN_SLOT_POSTED(%rbx), %eax
	mov %eax, DN_SLOT_DONE(%rbx)
	lea DN_SLOT_DONE(%rbx), %rdi
	mov $FUTEX_WAKE, %esi
	mov $1, %edx
	mov $SYS_futex, %eax
	syscall
.Lwait:
	/* For a new batch, or for dunlin's death. */
	mov DN_SLOT_DONE(%rbx), %eax
	mov %rax, DN_SLOT_WAIT_POSTED_VAL(%rbx)
	lea DN_SLOT_WAITERS(%rbx), %rdi
	mov $2, %esi
	xor %edx, %edx
	xor %r10d, %r10d
	xor %r8d, %r8d
	mov $SYS_futex_waitv, %eax
	syscall
	jmp .Lserve

.Lhome:
	/* The kernel woke one waiter of the owner word: wake all the others. */
	mov DN_SLOT_OWNER_PTR(%rbx), %rdi
	mov $FUTEX_WAKE, %esi
	mov $0x7fffffff, %edx
	mov $SYS_futex, %eax
	syscall
.Lnowhere:
	cmpq $0, DN_SLOT_HOME_VALID(%rbx)
	je .Lnowhere		/* a seed: about to be killed together with dunlin */
	mov DN_SLOT_HOME_SP(%rbx), %rsp
	mov $2, %edi		/* SIG_SETMASK */
	lea DN_SLOT_HOME_MASK(%rbx), %rsi
	xor %edx, %edx
	mov $8, %r10d
	mov $SYS_rt_sigprocmask, %eax
	syscall
	/* Below the red zone (home_sp = rsp - 128 - 16): flags and address to go on at. */
	mov DN_SLOT_HOME_FLAGS(%rbx), %rax
	mov %rax, (%rsp)
	mov DN_SLOT_HOME_IP(%rbx), %rax
	mov %rax, 8(%rsp)
	mov DN_SLOT_HOME_REGS(%rbx), %r15
	mov DN_SLOT_HOME_REGS+8(%rbx), %r14
	mov DN_SLOT_HOME_REGS+16(%rbx), %r13
	mov DN_SLOT_HOME_REGS+24(%rbx), %r12
	mov DN_SLOT_HOME_REGS+32(%rbx), %rbp
	mov DN_SLOT_HOME_REGS+48(%rbx), %r11
	mov DN_SLOT_HOME_REGS+56(%rbx), %r10
	mov DN_SLOT_HOME_REGS+64(%rbx), %r9
	mov DN_SLOT_HOME_REGS+72(%rbx), %r8
	mov DN_SLOT_HOME_REGS+80(%rbx), %rax
	mov DN_SLOT_HOME_REGS+88(%rbx), %rcx
	mov DN_SLOT_HOME_REGS+96(%rbx), %rdx
	mov DN_SLOT_HOME_REGS+104(%rbx), %rsi
	mov DN_SLOT_HOME_REGS+112(%rbx), %rdi
	mov DN_SLOT_HOME_REGS+40(%rbx), %rbx
	popfq
	ret $128
dn_loop_code_end:
	.section .note.GNU-stack,"",@progbits
