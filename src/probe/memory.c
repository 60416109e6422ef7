/* SPDX-License-Identifier: BSD-3-Clause */
/* memory.c - probes: reading, writing, finding and mapping memory */
#include <asm/prctl.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "base/kernel.h"
#include "base/proc.h"
#include "base/util.h"
#include "probe/probe.h"

#ifndef PR_SET_VMA /* <linux/prctl.h> and <sys/prctl.h> of some libcs do not go together */
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

#define HUGE_SIZE (2UL << 20)

static char *map_pages(size_t count)
{
	char *p = mmap(NULL, count * DN_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return p == MAP_FAILED ? NULL : p;
}

static int open_proc(pid_t pid, const char *name, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return open(path, flags | O_CLOEXEC);
}

static int probe_readv(char *detail)
{
	char *p = map_pages(2), buf[8] = "";
	struct iovec local = { buf, 6 }, remote = { NULL, 6 };

	if (!p)
		return dn_probe_no(detail, errno, "mmap");
	remote.iov_base = p + DN_PAGE_SIZE - 3;
	memcpy(remote.iov_base, "before", 6);
	pid_t pid = dn_probe_child(NULL, NULL);
	memcpy(remote.iov_base, "parent", 6);
	if (process_vm_readv(pid, &local, 1, &remote, 1, 0) != 6 || memcmp(buf, "before", 6))
		return dn_probe_no(detail, errno, "process_vm_readv");
	memcpy(buf, "writev", 6);
	if (process_vm_writev(pid, &local, 1, &remote, 1, 0) != 6)
		return dn_probe_no(detail, errno, "process_vm_writev");
	memset(buf, 0, 6);
	process_vm_readv(pid, &local, 1, &remote, 1, 0);
	return memcmp(buf, "writev", 6) ? dn_probe_no(detail, EIO, "process_vm_writev had no effect") : 0;
}

static int probe_proc_mem(char *detail)
{
	char *p = map_pages(1), buf[4] = "";

	if (!p || mprotect(p, DN_PAGE_SIZE, PROT_NONE) < 0)
		return dn_probe_no(detail, errno, "mmap");
	pid_t pid = dn_probe_child(NULL, NULL);
	_cleanup_fd_ int fd = open_proc(pid, "mem", O_RDWR);
	if (fd < 0)
		return dn_probe_no(detail, errno, "/proc/PID/mem");
	if (pwrite(fd, "abc", 3, (off_t)(uintptr_t)p) != 3 || pread(fd, buf, 3, (off_t)(uintptr_t)p) != 3)
		return dn_probe_no(detail, errno, "memory without permissions through /proc/PID/mem");
	return memcmp(buf, "abc", 3) ? dn_probe_no(detail, EIO, "/proc/PID/mem does not hold what was written") : 0;
}

static int probe_pagemap_scan(char *detail)
{
	char *p = map_pages(8);
	struct page_region regions[4];
	struct pm_scan_arg arg = {
		.size = sizeof(arg),
		.start = (uintptr_t)p,
		.end = (uintptr_t)p + 8 * DN_PAGE_SIZE,
		.vec = (uintptr_t)regions,
		.vec_len = DN_ARRAY_LEN(regions),
		.category_mask = PAGE_IS_PRESENT,
		.return_mask = PAGE_IS_PRESENT,
	};

	if (!p)
		return dn_probe_no(detail, errno, "mmap");
	memset(p + DN_PAGE_SIZE, 1, 3 * DN_PAGE_SIZE);
	_cleanup_fd_ int fd = open_proc(dn_probe_child(NULL, NULL), "pagemap", O_RDONLY);
	if (fd < 0)
		return dn_probe_no(detail, errno, "/proc/PID/pagemap");
	int n = ioctl(fd, PAGEMAP_SCAN, &arg);
	if (n < 0)
		return dn_probe_no(detail, errno, "PAGEMAP_SCAN");
	if (n != 1 || regions[0].start != (uintptr_t)p + DN_PAGE_SIZE ||
	    regions[0].end != regions[0].start + 3 * DN_PAGE_SIZE)
		return dn_probe_no(detail, EIO, "PAGEMAP_SCAN of 3 pages found %d ranges", n);
	return 0;
}

/* The pagemap word of one page. */
static int pagemap_word(pid_t pid, const void *addr, uint64_t *ret)
{
	_cleanup_fd_ int fd = open_proc(pid, "pagemap", O_RDONLY);

	if (fd < 0)
		return -errno;
	return pread(fd, ret, 8, (off_t)((uintptr_t)addr / DN_PAGE_SIZE * 8)) == 8 ? 0 : -errno;
}

static int probe_frames(char *detail)
{
	const uint64_t frame = (1ULL << 55) - 1;
	char *p = map_pages(1);
	uint64_t mine = 0, childs = 0;

	if (!p)
		return dn_probe_no(detail, errno, "mmap");
	*p = 1;
	pid_t pid = dn_probe_child(NULL, NULL);
	int r = pagemap_word(getpid(), p, &mine);
	r = r < 0 ? r : pagemap_word(pid, p, &childs);
	if (r < 0)
		return dn_probe_no(detail, -r, "/proc/PID/pagemap");
	if (!(mine & frame))
		return dn_probe_no(detail, EPERM, "page frames are hidden");
	return (mine & frame) == (childs & frame) ? 0 : dn_probe_no(detail, EIO, "parent and child show other frames");
}

static int probe_exclusive(char *detail)
{
	const uint64_t exclusive = 1ULL << 56;
	char *p = map_pages(2);
	uint64_t word = 0, alone = 0;

	if (!p)
		return dn_probe_no(detail, errno, "mmap");
	*p = 1;
	dn_probe_child(NULL, NULL);
	p[DN_PAGE_SIZE] = 1;
	int r = pagemap_word(getpid(), p, &word);
	r = r < 0 ? r : pagemap_word(getpid(), p + DN_PAGE_SIZE, &alone);
	if (r < 0)
		return dn_probe_no(detail, -r, "/proc/PID/pagemap");
	return !(word & exclusive) && (alone & exclusive) ? 0 : dn_probe_no(detail, EIO, "bit 56 does not tell");
}

static int probe_procmap_query(char *detail)
{
	char *p = map_pages(2);
	struct procmap_query q = { .size = sizeof(q), .query_addr = (uintptr_t)p };

	if (!p)
		return dn_probe_no(detail, errno, "mmap");
	_cleanup_fd_ int fd = open_proc(dn_probe_child(NULL, NULL), "maps", O_RDONLY);
	if (fd < 0 || ioctl(fd, PROCMAP_QUERY, &q) < 0)
		return dn_probe_no(detail, errno, "PROCMAP_QUERY");
	return q.vma_start <= q.query_addr && q.query_addr < q.vma_end ? 0 : dn_probe_no(detail, EIO, "PROCMAP_QUERY");
}

static int probe_populate(char *detail)
{
	unsigned char there[16] = {};
	char *p = map_pages(16);

	if (!p || madvise(p, 16 * DN_PAGE_SIZE, MADV_POPULATE_WRITE) < 0)
		return dn_probe_no(detail, errno, "MADV_POPULATE_WRITE");
	mincore(p, 16 * DN_PAGE_SIZE, there);
	return memchr(there, 0, sizeof(there)) ? dn_probe_no(detail, EIO, "MADV_POPULATE_WRITE left holes") : 0;
}

static int probe_guard(char *detail)
{
	char *p = map_pages(3), c;
	struct iovec local = { &c, 1 }, remote = { NULL, 1 };

	if (!p || madvise(p + DN_PAGE_SIZE, DN_PAGE_SIZE, MADV_GUARD_INSTALL) < 0)
		return dn_probe_no(detail, errno, "MADV_GUARD_INSTALL");
	remote.iov_base = p + DN_PAGE_SIZE;
	if (process_vm_readv(getpid(), &local, 1, &remote, 1, 0) >= 0)
		return dn_probe_no(detail, EIO, "a guard page could be read");
	return 0;
}

static int probe_mseal(char *detail)
{
	char *p = map_pages(1);

	if (!p || syscall(SYS_mseal, p, DN_PAGE_SIZE, 0) < 0)
		return dn_probe_no(detail, errno, "mseal");
	return munmap(p, DN_PAGE_SIZE) < 0 && errno == EPERM ? 0
							     : dn_probe_no(detail, EIO, "a sealed page was unmapped");
}

static int probe_anon_name(char *detail)
{
	char *p = map_pages(1);
	_cleanup_text_ struct dn_text t = {};

	if (!p || prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, p, DN_PAGE_SIZE, "dunlin probe") < 0)
		return dn_probe_no(detail, errno, "PR_SET_VMA_ANON_NAME");
	int r = dn_read_text(&t, NULL, "/proc/self/maps");
	return r == 0 && strstr(t.data, "[anon:dunlin probe]") ? 0 : dn_probe_no(detail, EIO, "the name does not show");
}

static int probe_vdso(char *detail)
{
	_cleanup_text_ struct dn_text t = {};
	unsigned long start, end, vdso = 0;

	int r = dn_read_text(&t, NULL, "/proc/self/maps");
	if (r < 0)
		return dn_probe_no(detail, -r, "/proc/self/maps");
	for (char *save, *line = strtok_r(t.data, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (!strstr(line, "[vdso]") && !strstr(line, "[vvar"))
			continue;
		if (sscanf(line, "%lx-%lx", &start, &end) != 2 || munmap((void *)start, end - start) < 0)
			return dn_probe_no(detail, errno, "unmapping the vdso");
		vdso = start;
	}
	if (!vdso)
		return dn_probe_no(detail, ENOENT, "no vdso");
	/* A size on success, at a place of our choice. */
	vdso = (vdso & ~0xffffffUL) - (1UL << 30);
	long size = syscall(SYS_arch_prctl, ARCH_MAP_VDSO_64, vdso);
	if (size < 0)
		return dn_probe_no(detail, errno, "ARCH_MAP_VDSO_64");
	r = dn_read_text(&t, NULL, "/proc/self/maps");
	return r == 0 && strstr(t.data, "[vdso]") ? 0 : dn_probe_no(detail, EIO, "ARCH_MAP_VDSO_64 had no effect");
}

static int probe_wp_async(char *detail)
{
	char *p = map_pages(4);
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_WP_ASYNC | UFFD_FEATURE_WP_UNPOPULATED };
	struct uffdio_register reg = { .range = { (uintptr_t)p, 4 * DN_PAGE_SIZE }, .mode = UFFDIO_REGISTER_MODE_WP };
	struct page_region regions[4];
	struct pm_scan_arg arg = {
		.size = sizeof(arg),
		.flags = PM_SCAN_WP_MATCHING | PM_SCAN_CHECK_WPASYNC,
		.start = (uintptr_t)p,
		.end = (uintptr_t)p + 4 * DN_PAGE_SIZE,
		.vec = (uintptr_t)regions,
		.vec_len = DN_ARRAY_LEN(regions),
		.category_mask = PAGE_IS_WRITTEN,
		.return_mask = PAGE_IS_WRITTEN,
	};
	_cleanup_fd_ int uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
	_cleanup_fd_ int fd = open_proc(getpid(), "pagemap", O_RDONLY);

	if (!p || uffd < 0 || ioctl(uffd, UFFDIO_API, &api) < 0 || ioctl(uffd, UFFDIO_REGISTER, &reg) < 0)
		return dn_probe_no(detail, errno, "userfaultfd with asynchronous write protection");
	memset(p, 1, 4 * DN_PAGE_SIZE);
	if (fd < 0 || ioctl(fd, PAGEMAP_SCAN, &arg) < 0)
		return dn_probe_no(detail, errno, "PAGEMAP_SCAN");
	p[2 * DN_PAGE_SIZE] = 2;
	int n = ioctl(fd, PAGEMAP_SCAN, &arg);
	if (n != 1 || regions[0].start != (uintptr_t)p + 2 * DN_PAGE_SIZE ||
	    regions[0].end != regions[0].start + DN_PAGE_SIZE)
		return dn_probe_no(detail, EIO, "one page was written, %d ranges were told", n);
	return 0;
}

static int probe_thp(char *detail)
{
	_cleanup_text_ struct dn_text t = {};
	char *p = map_pages(2 * HUGE_SIZE / DN_PAGE_SIZE);

	if (!p)
		return dn_probe_no(detail, errno, "mmap");
	char *huge = (char *)DN_ALIGN_UP((uintptr_t)p, HUGE_SIZE);
	if (madvise(huge, HUGE_SIZE, MADV_HUGEPAGE) < 0)
		return dn_probe_no(detail, errno, "MADV_HUGEPAGE");
	*huge = 1;
	int r = dn_read_text(&t, NULL, "/proc/self/smaps_rollup");
	const char *field = r < 0 ? NULL : dn_text_field(&t, "AnonHugePages");
	if (!field || strtoul(field, NULL, 10) == 0)
		return dn_probe_no(detail, ENOMEM, "no huge page was given");
	return 0;
}

static int probe_hugetlb(char *detail)
{
	void *p = mmap(NULL, HUGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);

	if (p == MAP_FAILED)
		return dn_probe_no(detail, errno, "a mapping of one huge page");
	if (madvise(p, HUGE_SIZE, MADV_POPULATE_WRITE) < 0)
		return dn_probe_no(detail, errno, "a huge page");
	return 0;
}

const struct dn_probe dn_probes_memory[] = {
	{ "process_vm_readv", "copying pages out of and into processes", "a kernel with CONFIG_CROSS_MEMORY_ATTACH",
	  true, probe_readv },
	{ "/proc/PID/mem", "memory that is not readable or writable", "boot without proc_mem.force_override=never",
	  true, probe_proc_mem },
	{ "PAGEMAP_SCAN", "finding the pages that hold something (6.7)", "boot a kernel from 6.7 on", false,
	  probe_pagemap_scan },
	{ "page frames", "finding pages that parent and child share, without comparing them", "run as root", false,
	  probe_frames },
	{ "exclusive pages", "finding pages that may be shared by copy-on-write", "nothing: more pages are compared",
	  false, probe_exclusive },
	{ "PROCMAP_QUERY", "mappings without parsing text (6.11)", "nothing: text is parsed", false,
	  probe_procmap_query },
	{ "MADV_POPULATE_WRITE", "fresh pages in bulk (5.14)", "nothing: pages are made one by one", false,
	  probe_populate },
	{ "vdso", "restarted programs that kept addresses of the vdso", "a kernel with CONFIG_CHECKPOINT_RESTORE", true,
	  probe_vdso },
	{ "mapping names", "names that programs gave to their memory", "nothing: programs have none here", false,
	  probe_anon_name },
	{ "guard regions", "lightweight guard pages (6.13)", "nothing: programs have none here", false, probe_guard },
	{ "mseal", "sealed mappings (6.10)", "nothing: programs have none here", false, probe_mseal },
	{ "huge pages", "memory that was huge stays huge", "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled",
	  false, probe_thp },
	{ "hugetlb", "restarting programs that use reserved huge pages",
	  "sysctl vm.nr_hugepages=N, if programs use them", false, probe_hugetlb },
	{ "written pages", "live migration, later (userfaultfd, 6.7)", "nothing: not used yet", false, probe_wp_async },
	{},
};
