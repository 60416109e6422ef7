/* SPDX-License-Identifier: BSD-3-Clause */
/* x86_64.c - what the tracee layer has to know of x86-64 */
#include <asm/ldt.h>
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <ucontext.h>

#include "base/util.h"
#include "tracee/control.h"

#define RED_ZONE 128
#define PTRACE_GET_THREAD_AREA_NR 25 /* asm/ptrace-abi.h, which cannot be included together with sys/ptrace.h */
#define TLS_FIRST 12		     /* GDT_ENTRY_TLS_MIN of 64-bit kernels */
#define TLS_COUNT 3
#define DR7_ENABLED 0xffu
#define CODE_SEGMENT 0x33
#define ERESTARTSYS 512
#define ERESTARTNOINTR 513
#define ERESTARTNOHAND 514
#define ERESTART_RESTARTBLOCK 516
#define SYS_RESTART_SYSCALL 219
#define SYSCALL_LENGTH 2
/* asm/ucontext.h, which cannot be included together with signal.h */
#define UC_FP_XSTATE 0x1
#define UC_SIGCONTEXT_SS 0x2
#define UC_STRICT_RESTORE_SS 0x4

void dn_arch_restarted(struct user_regs_struct *regs)
{
	if ((long)regs->orig_rax < 0)
		return;
	switch (-(long)regs->rax) {
	case ERESTARTSYS:
	case ERESTARTNOINTR:
	case ERESTARTNOHAND: regs->rax = regs->orig_rax; break;
	case ERESTART_RESTARTBLOCK: regs->rax = SYS_RESTART_SYSCALL; break;
	default: return;
	}
	regs->rip -= SYSCALL_LENGTH;
}

void dn_arch_enter_loop(struct user_regs_struct *regs, uint64_t code, uint64_t slot_remote, const struct dn_slot *s)
{
	regs->rip = code;
	regs->rbx = slot_remote;
	regs->orig_rax = (unsigned long long)-1;
	regs->eflags &= ~0x40500ULL; /* no trap, no direction, no alignment check */
	if (s->home_valid)
		regs->rsp = s->home_sp;
}

void dn_arch_home(struct dn_slot *s, const struct user_regs_struct *at, uint64_t sigmask)
{
	struct user_regs_struct r = *at;

	dn_arch_restarted(&r);
	s->home_mask = sigmask;
	s->home_sp = r.rsp - RED_ZONE - 16;
	s->home_flags = r.eflags;
	s->home_ip = r.rip;
	const uint64_t regs[15] = { r.r15, r.r14, r.r13, r.r12, r.rbp, r.rbx, r.r11, r.r10,
				    r.r9,  r.r8,  r.rax, r.rcx, r.rdx, r.rsi, r.rdi };
	memcpy(s->home_regs, regs, sizeof(regs));
}

/* struct rt_sigframe of the kernel: return address, ucontext; the floating point state behind it. */
struct frame {
	uint64_t return_address;
	ucontext_t uc;
};

size_t dn_arch_signal_frame(void *buf, size_t size, uint64_t at, const struct user_regs_struct *regs, uint64_t sigmask,
			    const void *xsave, size_t xsave_size, uint64_t sigreturn_ip)
{
	struct frame *f = buf;
	struct user_regs_struct r = *regs;
	/* The stack pointer is 8 off a 16 byte boundary at the frame, the state 64 byte aligned. */
	size_t state = DN_ALIGN_UP(at + sizeof(*f), 64) - at;
	size_t total = state + xsave_size + FP_XSTATE_MAGIC2_SIZE;

	if (total > size || xsave_size < 576)
		return 0;
	memset(buf, 0, total);
	dn_arch_restarted(&r);
	f->return_address = sigreturn_ip;
	f->uc.uc_flags = UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS;
	f->uc.uc_stack.ss_flags = 0x7777; /* invalid: leaves the alternate stack, which we do not know, alone */
	const greg_t gregs[REG_CR2 + 1] = {
		[REG_R8] = (greg_t)r.r8,
		[REG_R9] = (greg_t)r.r9,
		[REG_R10] = (greg_t)r.r10,
		[REG_R11] = (greg_t)r.r11,
		[REG_R12] = (greg_t)r.r12,
		[REG_R13] = (greg_t)r.r13,
		[REG_R14] = (greg_t)r.r14,
		[REG_R15] = (greg_t)r.r15,
		[REG_RDI] = (greg_t)r.rdi,
		[REG_RSI] = (greg_t)r.rsi,
		[REG_RBP] = (greg_t)r.rbp,
		[REG_RBX] = (greg_t)r.rbx,
		[REG_RDX] = (greg_t)r.rdx,
		[REG_RAX] = (greg_t)r.rax,
		[REG_RCX] = (greg_t)r.rcx,
		[REG_RSP] = (greg_t)r.rsp,
		[REG_RIP] = (greg_t)r.rip,
		[REG_EFL] = (greg_t)r.eflags,
		[REG_CSGSFS] = (greg_t)(r.cs | r.ss << 48),
	};
	memcpy(f->uc.uc_mcontext.gregs, gregs, sizeof(gregs));
	f->uc.uc_mcontext.fpregs = (fpregset_t)(at + state);
	memcpy(&f->uc.uc_sigmask, &sigmask, sizeof(sigmask));
	char *fp = (char *)buf + state;
	memcpy(fp, xsave, xsave_size);
	struct _fpx_sw_bytes *sw = (void *)(fp + 464);
	uint64_t features;
	memcpy(&features, sw, sizeof(features)); /* GETREGSET puts XCR0 here */
	*sw = (struct _fpx_sw_bytes){ .magic1 = FP_XSTATE_MAGIC1,
				      .extended_size = (uint32_t)(xsave_size + FP_XSTATE_MAGIC2_SIZE),
				      .xstate_bv = features,
				      .xstate_size = (uint32_t)xsave_size };
	uint32_t magic2 = FP_XSTATE_MAGIC2;
	memcpy(fp + xsave_size, &magic2, sizeof(magic2));
	return total;
}

_Static_assert(DN_ARCH_FRAME_IP == REG_RIP && DN_ARCH_FRAME_WORDS == REG_CSGSFS + 1, "struct sigcontext");

/* The signal mask is back, but not all registers are; the last instructions are popfq and ret $128. */
bool dn_arch_frame_home(struct dn_process *p, uint64_t code, uint64_t frame[DN_ARCH_FRAME_WORDS])
{
	static const int order[15] = { REG_R15, REG_R14, REG_R13, REG_R12, REG_RBP, REG_RBX, REG_R11, REG_R10,
				       REG_R9,	REG_R8,	 REG_RAX, REG_RCX, REG_RDX, REG_RSI, REG_RDI };
	const uint64_t size = (uint64_t)(dn_loop_code_end - dn_loop_code), at = frame[REG_RIP] - code;
	unsigned char left[DN_PAGE_SIZE];
	uint64_t stack[2];
	struct dn_slot s;

	if (at >= size || (frame[REG_CSGSFS] & 0xffff) != CODE_SEGMENT)
		return false;
	/* Another version's code has other last steps. */
	if (dn_process_read(p, code, left, size, NULL) < 0 || memcmp(left, dn_loop_code, size) != 0)
		return false;
	if (at >= size - 4) { /* nothing but these two */
		size_t popped = at > size - 4 ? 8 : 0;
		if (dn_process_read(p, frame[REG_RSP] - popped, stack, sizeof(stack), NULL) < 0)
			return false;
		if (!popped)
			frame[REG_EFL] = stack[0];
		frame[REG_RIP] = stack[1];
		frame[REG_RSP] += 16 - popped + RED_ZONE;
		return true;
	}
	if (dn_process_read(p, frame[REG_RBX], &s, sizeof(s), NULL) < 0 || s.home_valid != 1 ||
	    s.home_sp != frame[REG_RSP])
		return false;
	for (size_t i = 0; i < DN_ARRAY_LEN(order); i++)
		frame[order[i]] = s.home_regs[i];
	frame[REG_EFL] = s.home_flags;
	frame[REG_RIP] = s.home_ip;
	frame[REG_RSP] = s.home_sp + 16 + RED_ZONE;
	return true;
}

void dn_arch_set_syscall(struct user_regs_struct *regs, uint64_t gadget, uint64_t sp, long nr, const uint64_t args[6])
{
	regs->rip = gadget;
	regs->rsp = sp;
	regs->rax = (unsigned long long)nr;
	regs->orig_rax = (unsigned long long)-1;
	regs->rdi = args[0];
	regs->rsi = args[1];
	regs->rdx = args[2];
	regs->r10 = args[3];
	regs->r8 = args[4];
	regs->r9 = args[5];
	regs->eflags &= ~0x40500ULL;
}

const char *dn_arch_odd_state(struct dn_thread *t)
{
	uint64_t ports;
	struct iovec io = { &ports, sizeof(ports) };

	for (unsigned long i = TLS_FIRST; i < TLS_FIRST + TLS_COUNT; i++) {
		struct user_desc d = { .seg_not_present = 1 };
		if (ptrace((enum __ptrace_request)PTRACE_GET_THREAD_AREA_NR, t->tid, (void *)i, &d) == 0 &&
		    !d.seg_not_present)
			return "a segment of its own (set_thread_area)";
	}
	errno = 0;
	long dr7 = ptrace(PTRACE_PEEKUSER, t->tid, (void *)offsetof(struct user, u_debugreg[7]), NULL);
	if (errno == 0 && (unsigned long)dr7 & DR7_ENABLED)
		return "hardware breakpoints (of a debugger that went away)";
	if (ptrace(PTRACE_GETREGSET, t->tid, (void *)NT_386_IOPERM, &io) == 0 && io.iov_len > 0)
		return "access to I/O ports (ioperm)";
	return NULL;
}

static long find(const unsigned char *code, size_t len, const char *bytes, size_t n)
{
	const unsigned char *at = memmem(code, len, bytes, n);
	return at ? at - code : -1;
}

long dn_arch_find_syscall(const unsigned char *code, size_t len)
{
	return find(code, len, "\x0f\x05\xc3", 3); /* syscall; ret */
}

long dn_arch_find_sigreturn(const unsigned char *code, size_t len)
{
	long at = find(code, len, "\x48\xc7\xc0\x0f\x00\x00\x00\x0f\x05", 9);	  /* mov $15,%rax; syscall */
	return at >= 0 ? at : find(code, len, "\xb8\x0f\x00\x00\x00\x0f\x05", 7); /* mov $15,%eax; syscall */
}
