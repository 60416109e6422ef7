/* SPDX-License-Identifier: BSD-3-Clause */
/* host.c - probes: the kernel's version and settings, the processor, privileges */
#include <cpuid.h>
#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include "base/proc.h"
#include "base/util.h"
#include "probe/probe.h"

static int probe_kernel(char *detail)
{
	struct utsname u;
	int major = 0, minor = 0;

	if (uname(&u) < 0 || sscanf(u.release, "%d.%d", &major, &minor) != 2)
		return dn_probe_no(detail, errno ? errno : EINVAL, "uname");
	dn_probe_say(detail, "Linux %s, %s", u.release, u.machine);
	if (major < 5 || (major == 5 && minor < 16))
		return -ENOSYS;
	return major < 6 || (major == 6 && minor < 7) ? 1 : 0;
}

static int probe_xsave(char *detail)
{
	unsigned int eax, ebx, ecx, edx, size;

	if (!__get_cpuid_count(0xd, 0, &eax, &ebx, &ecx, &edx) || !ebx)
		return dn_probe_no(detail, ENOTSUP, "CPUID leaf 13");
	size = ebx;
	dn_probe_say(detail, "%u bytes a thread, components 0x%x%s%s%s", size, eax, eax & 4 ? ", AVX" : "",
		     (eax & 0xe0) == 0xe0 ? ", AVX-512" : "", eax & (1u << 18) ? ", AMX" : "");
	return size > 16384 ? -E2BIG : 0;
}

static int probe_capabilities(char *detail)
{
	static const struct {
		int number;
		const char *name;
	} wanted[] = {
		{ CAP_SYS_PTRACE, "SYS_PTRACE" },
		{ CAP_SYS_ADMIN, "SYS_ADMIN" },
		{ CAP_CHECKPOINT_RESTORE, "CHECKPOINT_RESTORE" },
		{ CAP_SYS_RESOURCE, "SYS_RESOURCE" },
		{ CAP_SYS_NICE, "SYS_NICE" },
		{ CAP_SETUID, "SETUID" },
		{ CAP_SETGID, "SETGID" },
		{ CAP_SETPCAP, "SETPCAP" },
		{ CAP_KILL, "KILL" },
		{ CAP_DAC_OVERRIDE, "DAC_OVERRIDE" },
		{ CAP_DAC_READ_SEARCH, "DAC_READ_SEARCH" },
		{ CAP_CHOWN, "CHOWN" },
		{ CAP_FOWNER, "FOWNER" },
		{ CAP_IPC_LOCK, "IPC_LOCK" },
	};
	_cleanup_text_ struct dn_text t = {};
	unsigned long long effective;
	size_t used = 0;

	int r = dn_read_text(&t, NULL, "/proc/self/status");
	const char *field = r < 0 ? NULL : dn_text_field(&t, "CapEff");
	if (!field || sscanf(field, "%llx", &effective) != 1)
		return dn_probe_no(detail, ENOENT, "CapEff in /proc/self/status");
	for (size_t i = 0; i < DN_ARRAY_LEN(wanted); i++) {
		if (effective >> wanted[i].number & 1)
			continue;
		int n = snprintf(detail + used, DN_PROBE_DETAIL - used, "%s%s", used ? ", " : "without ",
				 wanted[i].name);
		used = DN_MIN(used + (size_t)n, (size_t)DN_PROBE_DETAIL - 1);
	}
	return used ? 1 : 0;
}

static int probe_ptrace_scope(char *detail)
{
	_cleanup_text_ struct dn_text t = {};

	if (dn_read_text(&t, NULL, "/proc/sys/kernel/yama/ptrace_scope") < 0) {
		dn_probe_say(detail, "no Yama");
		return 0;
	}
	dn_probe_say(detail, "kernel.yama.ptrace_scope = %c", t.data[0]);
	return t.data[0] == '3' ? -EPERM : 0;
}

static int probe_numa(char *detail)
{
	int mode = -1;

	if (syscall(SYS_get_mempolicy, &mode, NULL, 0, NULL, 0) < 0)
		return dn_probe_no(detail, errno, "get_mempolicy");
	void *p = mmap(NULL, DN_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return dn_probe_no(detail, errno, "mmap");
	if (syscall(SYS_mbind, p, DN_PAGE_SIZE, 0, NULL, 0, 0) < 0)
		return dn_probe_no(detail, errno, "mbind");
	return 0;
}

static int probe_sched(char *detail)
{
	_cleanup_text_ struct dn_text t = {};

	if (dn_read_text(&t, NULL, "/proc/self/sched") < 0 || !strstr(t.data, "se.exec_start"))
		return dn_probe_no(detail, ENOENT, "se.exec_start in /proc/PID/sched");
	return 0;
}

const struct dn_probe dn_probes_host[] = {
	{ "kernel", "5.16 for checkpoint and restart, 6.7 to find pages quickly", "boot a newer kernel", true,
	  probe_kernel },
	{ "processor state", "registers of threads, vector units included", "checkpoint on another machine", true,
	  probe_xsave },
	{ "capabilities", "programs of other users, raised limits, the exe link",
	  "run dunlin as root, outside of containers that drop these capabilities", false, probe_capabilities },
	{ "ptrace_scope", "holding processes that are not dunlin's children",
	  "kernel.yama.ptrace_scope=3 can only be undone by a reboot", true, probe_ptrace_scope },
	{ "NUMA policies", "memory policies of processes and mappings", "nothing: programs have none here", false,
	  probe_numa },
	{ "/proc/PID/sched", "how long a sleeping thread has slept already", "a kernel with CONFIG_SCHED_DEBUG", false,
	  probe_sched },
	{},
};
