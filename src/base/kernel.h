/* SPDX-License-Identifier: BSD-3-Clause */
/* kernel.h - interfaces of Linux that are newer than the headers of Debian 12 (6.1)
 *
 * Values are the kernel's and never change; the version says since when a kernel knows them.  Whether
 * this one does is found out by trying (src/probe).
 */
#pragma once

#include <stdint.h>
#include <sys/ioctl.h>

/* ---- memory ---- */

/* 6.7: what pages of another process are, for a whole range at once (on /proc/PID/pagemap) */
#ifndef PAGEMAP_SCAN
struct page_region {
	uint64_t start, end, categories;
};

struct pm_scan_arg {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
_Static_assert(sizeof(struct pm_scan_arg) == 96, "the kernel checks the size");
#define PAGEMAP_SCAN _IOWR('f', 16, struct pm_scan_arg)
#define PM_SCAN_WP_MATCHING (1 << 0)
#define PM_SCAN_CHECK_WPASYNC (1 << 1)
#define PAGE_IS_WPALLOWED (1 << 0)
#define PAGE_IS_WRITTEN (1 << 1)
#define PAGE_IS_FILE (1 << 2)
#define PAGE_IS_PRESENT (1 << 3)
#define PAGE_IS_SWAPPED (1 << 4)
#define PAGE_IS_PFNZERO (1 << 5)
#define PAGE_IS_HUGE (1 << 6)
#define PAGE_IS_SOFT_DIRTY (1 << 7)
#endif
#ifndef PAGE_IS_GUARD
#define PAGE_IS_GUARD (1 << 8) /* 6.15 */
#endif

/* 6.11: one mapping of another process without reading text (on /proc/PID/maps) */
#ifndef PROCMAP_QUERY
struct procmap_query {
	uint64_t size, query_flags, query_addr;
	uint64_t vma_start, vma_end, vma_flags, vma_page_size, vma_offset, inode;
	uint32_t dev_major, dev_minor, vma_name_size, build_id_size;
	uint64_t vma_name_addr, build_id_addr;
};
_Static_assert(sizeof(struct procmap_query) == 104, "the kernel checks the size");
#define PROCMAP_QUERY _IOWR('f', 17, struct procmap_query)
#define PROCMAP_QUERY_COVERING_OR_NEXT_VMA 0x10
#endif

#ifndef MADV_GUARD_INSTALL /* 6.13 */
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE 103
#endif
#ifndef SYS_mseal /* 6.10 */
#define SYS_mseal 462
#endif
#ifndef MAP_DROPPABLE /* 6.11 */
#define MAP_DROPPABLE 0x08
#endif
#ifndef MFD_EXEC /* 6.3 */
#define MFD_NOEXEC_SEAL 0x0008U
#define MFD_EXEC 0x0010U
#endif
#ifndef F_SEAL_EXEC /* 6.3 */
#define F_SEAL_EXEC 0x0020
#endif
#ifndef UFFD_FEATURE_WP_UNPOPULATED /* 6.4 */
#define UFFD_FEATURE_WP_UNPOPULATED (1 << 13)
#endif
#ifndef UFFD_FEATURE_WP_ASYNC /* 6.7 */
#define UFFD_FEATURE_WP_ASYNC (1 << 15)
#endif

/* ---- processes ---- */

#ifndef PR_TIMER_CREATE_RESTORE_IDS /* 6.15: timer_create() takes the id that it is given */
#define PR_TIMER_CREATE_RESTORE_IDS 77
#define PR_TIMER_CREATE_RESTORE_IDS_OFF 0
#define PR_TIMER_CREATE_RESTORE_IDS_ON 1
#define PR_TIMER_CREATE_RESTORE_IDS_GET 2
#endif
#ifndef PR_SET_MDWE /* 6.3 */
#define PR_SET_MDWE 65
#define PR_GET_MDWE 66
#endif
#ifndef PR_SET_MEMORY_MERGE /* 6.4 */
#define PR_SET_MEMORY_MERGE 67
#define PR_GET_MEMORY_MERGE 68
#endif
#ifndef ARCH_GET_UNTAG_MASK /* 6.4 */
#define ARCH_GET_UNTAG_MASK 0x4001
#endif
#ifndef PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG /* 6.4 */
#define PTRACE_SET_SYSCALL_USER_DISPATCH_CONFIG 0x4210
#define PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG 0x4211
struct ptrace_sud_config {
	uint64_t mode, selector, offset, len;
};
#endif
/* 6.3 (an enumerator in the kernel's header) */
#define DN_MEMBARRIER_GET_REGISTRATIONS (1 << 9)
#ifndef PIDFD_THREAD	  /* 6.9 */
#define PIDFD_THREAD 0200 /* O_EXCL */
#endif
/* 6.13 (exit codes: 6.15): what a pidfd tells */
#ifndef PIDFD_GET_INFO
struct pidfd_info {
	uint64_t mask, cgroupid;
	uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
	int32_t exit_code;
};
#define PIDFD_GET_INFO _IOWR(0xFF, 11, struct pidfd_info)
#endif
#ifndef PIDFD_INFO_EXIT
#define PIDFD_INFO_EXIT (1UL << 3)
#endif
#ifndef F_DUPFD_QUERY /* 6.10: do two descriptors share one description? */
#define F_DUPFD_QUERY 1027
#endif
#ifndef ARCH_SHSTK_STATUS /* 6.6 */
#define ARCH_SHSTK_STATUS 0x5005
#endif
