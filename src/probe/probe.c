/* SPDX-License-Identifier: BSD-3-Clause */
/* probe.c - what probes share: texts, children, one remote system call */
#include "probe/probe.h"

#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

__asm__(".pushsection .text\n"
	".globl dn_probe_gadget\n"
	".hidden dn_probe_gadget\n"
	"dn_probe_gadget: syscall\n"
	"	int3\n"
	".popsection\n");

void dn_probe_say(char *detail, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(detail, DN_PROBE_DETAIL, fmt, ap);
	va_end(ap);
}

int dn_probe_no(char *detail, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(detail, DN_PROBE_DETAIL, fmt, ap);
	va_end(ap);
	if (n >= 0 && n < DN_PROBE_DETAIL)
		snprintf(detail + n, DN_PROBE_DETAIL - (size_t)n, ": %s", strerror(code));
	return -code;
}

pid_t dn_probe_child(void (*fn)(void *arg), void *arg)
{
	pid_t parent = getpid(), pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	if (fn)
		fn(arg);
	for (;;)
		pause();
}

int dn_probe_hold(pid_t child)
{
	int status;

	if (ptrace(PTRACE_SEIZE, child, 0, PTRACE_O_EXITKILL) < 0 || ptrace(PTRACE_INTERRUPT, child, 0, 0) < 0)
		return -errno;
	if (waitpid(child, &status, __WALL) != child)
		return -errno;
	if (!WIFSTOPPED(status) || status >> 16 != PTRACE_EVENT_STOP)
		return -ECHILD;
	return 0;
}

long dn_probe_remote(pid_t child, const void *code, long nr, const unsigned long args[6])
{
	struct user_regs_struct regs;
	struct iovec iov = { &regs, sizeof(regs) };
	int status;

	if (ptrace(PTRACE_GETREGSET, child, NT_PRSTATUS, &iov) < 0)
		return -errno;
	regs.rip = (unsigned long)code;
	regs.rax = (unsigned long)nr;
	regs.orig_rax = -1UL; /* no restart of what it was stopped in */
	regs.rdi = args[0];
	regs.rsi = args[1];
	regs.rdx = args[2];
	regs.r10 = args[3];
	regs.r8 = args[4];
	regs.r9 = args[5];
	if (ptrace(PTRACE_SETREGSET, child, NT_PRSTATUS, &iov) < 0 || ptrace(PTRACE_CONT, child, 0, 0) < 0)
		return -errno;
	if (waitpid(child, &status, __WALL) != child)
		return -errno;
	if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP)
		return -ECHILD;
	if (ptrace(PTRACE_GETREGSET, child, NT_PRSTATUS, &iov) < 0)
		return -errno;
	return (long)regs.rax;
}
