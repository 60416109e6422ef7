/* SPDX-License-Identifier: BSD-3-Clause */
/* process.c - probes: holding, driving and making processes */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/kcmp.h>
#include <linux/prctl.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>

#include "base/kernel.h"
#include "base/proc.h"
#include "base/util.h"
#include "probe/probe.h"

/* <sys/ptrace.h> and <linux/ptrace.h> do not go together. */
extern long ptrace(int request, ...);

static void *shared_page(void)
{
	void *p = mmap(NULL, DN_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return p == MAP_FAILED ? NULL : p;
}

static int held_child(char *detail, pid_t *ret)
{
	pid_t pid = dn_probe_child(NULL, NULL);

	if (pid < 0)
		return dn_probe_no(detail, errno, "fork");
	int r = dn_probe_hold(pid);
	if (r < 0)
		return dn_probe_no(detail, -r, "PTRACE_SEIZE, PTRACE_INTERRUPT");
	*ret = pid;
	return 0;
}

static int probe_hold(char *detail)
{
	unsigned char xstate[16384];
	uint64_t mask = 0, want = 1ULL << (SIGUSR1 - 1);
	struct iovec iov = { xstate, sizeof(xstate) };
	pid_t pid = -1;

	int r = held_child(detail, &pid);
	if (r < 0)
		return r;
	if (ptrace(PTRACE_GETREGSET, pid, (void *)NT_X86_XSTATE, &iov) < 0 ||
	    ptrace(PTRACE_SETREGSET, pid, (void *)NT_X86_XSTATE, &iov) < 0)
		return dn_probe_no(detail, errno, "XSAVE state by ptrace");
	if (ptrace(PTRACE_SETSIGMASK, pid, (void *)sizeof(want), &want) < 0 ||
	    ptrace(PTRACE_GETSIGMASK, pid, (void *)sizeof(mask), &mask) < 0)
		return dn_probe_no(detail, errno, "PTRACE_SETSIGMASK");
	if (mask != want)
		return dn_probe_no(detail, EIO, "PTRACE_SETSIGMASK had no effect");
	if (ptrace(PTRACE_DETACH, pid, (void *)0, (void *)0) < 0)
		return dn_probe_no(detail, errno, "PTRACE_DETACH");
	return 0;
}

static int probe_remote(char *detail)
{
	pid_t pid = -1;

	int r = held_child(detail, &pid);
	if (r < 0)
		return r;
	long result = dn_probe_remote(pid, dn_probe_gadget, SYS_getpid, (const unsigned long[6]){});
	if (result < 0)
		return dn_probe_no(detail, (int)-result, "getpid run in a held process");
	return result == pid ? 0 : dn_probe_no(detail, EIO, "getpid run in a held process said %ld", result);
}

static int probe_rseq(char *detail)
{
	struct ptrace_rseq_configuration conf;
	pid_t pid = -1;

	int r = held_child(detail, &pid);
	if (r < 0)
		return r;
	if (ptrace(PTRACE_GET_RSEQ_CONFIGURATION, pid, (void *)sizeof(conf), &conf) != sizeof(conf))
		return dn_probe_no(detail, errno, "PTRACE_GET_RSEQ_CONFIGURATION");
	return 0;
}

static int probe_dispatch(char *detail)
{
	struct ptrace_sud_config conf;
	pid_t pid = -1;

	int r = held_child(detail, &pid);
	if (r < 0)
		return r;
	if (ptrace(PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG, pid, (void *)sizeof(conf), &conf) < 0)
		return dn_probe_no(detail, errno, "PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG");
	return 0;
}

static int probe_pidfd(char *detail)
{
	int pipes[2];
	char c = 0;

	if (pipe2(pipes, O_CLOEXEC) < 0)
		return dn_probe_no(detail, errno, "pipe2");
	pid_t pid = dn_probe_child(NULL, NULL);
	close(pipes[0]);
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0)
		return dn_probe_no(detail, errno, "pidfd_open");
	/* The reading end is now the child's alone. */
	int fd = (int)syscall(SYS_pidfd_getfd, pidfd, pipes[0], 0);
	if (fd < 0)
		return dn_probe_no(detail, errno, "pidfd_getfd");
	if (write(pipes[1], "x", 1) != 1 || read(fd, &c, 1) != 1 || c != 'x')
		return dn_probe_no(detail, EIO, "reading the child's pipe");
	if (syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0) < 0)
		return dn_probe_no(detail, errno, "pidfd_send_signal");
	return 0;
}

static int probe_kcmp(char *detail)
{
	_cleanup_fd_ int one = open("/dev/null", O_RDONLY | O_CLOEXEC), other = open("/dev/null", O_RDONLY | O_CLOEXEC);
	pid_t self = getpid(), pid = dn_probe_child(NULL, NULL);

	long same = syscall(SYS_kcmp, self, pid, KCMP_FILE, one, one);
	if (same < 0)
		return dn_probe_no(detail, errno, "kcmp");
	long differs = syscall(SYS_kcmp, self, pid, KCMP_FILE, one, other);
	close(other);
	return same == 0 && differs > 0 ? 0 : dn_probe_no(detail, EIO, "kcmp said %ld and %ld", same, differs);
}

static int probe_children(char *detail)
{
	_cleanup_text_ struct dn_text t = {};
	pid_t pid = dn_probe_child(NULL, NULL);

	int r = dn_read_text(&t, NULL, "/proc/self/task/%d/children", getpid());
	if (r < 0)
		return dn_probe_no(detail, -r, "/proc/PID/task/TID/children");
	return strtol(t.data, NULL, 10) == pid ? 0 : dn_probe_no(detail, EIO, "a child is not listed");
}

static int probe_set_tid(char *detail)
{
	pid_t free_pid = fork();

	if (free_pid == 0)
		_exit(0);
	if (free_pid < 0 || waitpid(free_pid, NULL, 0) != free_pid)
		return dn_probe_no(detail, errno, "fork");
	struct clone_args args = {
		.exit_signal = SIGCHLD,
		.set_tid = (uintptr_t)&free_pid,
		.set_tid_size = 1,
	};
	long pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0)
		_exit(0);
	if (pid < 0)
		return dn_probe_no(detail, errno, "clone3 with a chosen pid");
	waitpid((pid_t)pid, NULL, 0);
	return pid == free_pid ? 0 : dn_probe_no(detail, EIO, "clone3 gave pid %ld for %d", pid, free_pid);
}

static int fill_mm_map(pid_t pid, struct prctl_mm_map *map)
{
	struct dn_stat s;

	int r = dn_stat_read(pid, 0, &s, NULL);
	if (r < 0)
		return r;
	*map = (struct prctl_mm_map){
		.start_code = s.start_code,
		.end_code = s.end_code,
		.start_data = s.start_data,
		.end_data = s.end_data,
		.start_brk = s.start_brk,
		.brk = (uintptr_t)sbrk(0),
		.start_stack = s.start_stack,
		.arg_start = s.arg_start,
		.arg_end = s.arg_end,
		.env_start = s.env_start,
		.env_end = s.env_end,
		.exe_fd = (uint32_t)-1,
	};
	return 0;
}

static int probe_mm_map(char *detail)
{
	struct prctl_mm_map map;

	int r = fill_mm_map(getpid(), &map);
	if (r < 0)
		return dn_probe_no(detail, -r, "/proc/self/stat");
	map.arg_end = map.arg_start; /* so that there is something to see */
	if (prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof(map), 0) < 0)
		return dn_probe_no(detail, errno, "PR_SET_MM_MAP");
	struct dn_stat s;
	r = dn_stat_read(getpid(), 0, &s, NULL);
	return r == 0 && s.arg_end == map.arg_end ? 0 : dn_probe_no(detail, EIO, "PR_SET_MM_MAP had no effect");
}

/* Unmaps everything of the file that the held child runs, by remote calls. */
static int unmap_exe(pid_t pid, const void *code, const char *exe)
{
	_cleanup_text_ struct dn_text t = {};
	unsigned long start, end;

	int r = dn_read_text(&t, NULL, "/proc/%d/maps", pid);
	if (r < 0)
		return r;
	for (char *save, *line = strtok_r(t.data, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		const char *path = strchr(line, '/');
		if (!path || strcmp(path, exe) || sscanf(line, "%lx-%lx", &start, &end) != 2)
			continue;
		long result = dn_probe_remote(pid, code, SYS_munmap, (const unsigned long[6]){ start, end - start });
		if (result < 0)
			return (int)result;
	}
	return 0;
}

static int probe_exe(char *detail)
{
	struct {
		char code[16];
		struct prctl_mm_map map;
	} *page = shared_page();
	char path[64], exe[4096], other[] = "/bin/true", target[4096];
	pid_t pid = -1;

	if (!page)
		return dn_probe_no(detail, errno, "mmap");
	memcpy(page->code, dn_probe_gadget, DN_PROBE_GADGET_SIZE);
	int r = fill_mm_map(getpid(), &page->map);
	if (r < 0)
		return dn_probe_no(detail, -r, "/proc/self/stat");
	page->map.exe_fd = (uint32_t)open(other, O_RDONLY);
	if ((int)page->map.exe_fd < 0)
		return dn_probe_no(detail, errno, "%s", other);
	if (mprotect(page, DN_PAGE_SIZE, PROT_READ | PROT_EXEC) < 0)
		return dn_probe_no(detail, errno, "mprotect");
	r = held_child(detail, &pid);
	if (r < 0)
		return r;
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	exe[n < 0 ? 0 : n] = '\0';
	r = unmap_exe(pid, page->code, exe);
	if (r < 0)
		return dn_probe_no(detail, -r, "munmap of the running program");
	long result = dn_probe_remote(
		pid, page->code, SYS_prctl,
		(const unsigned long[6]){ PR_SET_MM, PR_SET_MM_MAP, (uintptr_t)&page->map, sizeof(page->map) });
	if (result < 0)
		return dn_probe_no(detail, (int)-result, "PR_SET_MM_MAP with another exe");
	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	n = readlink(path, target, sizeof(target) - 1);
	target[n < 0 ? 0 : n] = '\0';
	return strcmp(target, exe) ? 0 : dn_probe_no(detail, EIO, "the exe link did not change");
}

static int probe_restore_ids(char *detail)
{
	struct sigevent sev = { .sigev_notify = SIGEV_NONE };
	int id = 7777, other = 7;

	if (prctl(PR_TIMER_CREATE_RESTORE_IDS, PR_TIMER_CREATE_RESTORE_IDS_ON, 0, 0, 0) < 0)
		return dn_probe_no(detail, errno, "PR_TIMER_CREATE_RESTORE_IDS");
	if (syscall(SYS_timer_create, CLOCK_MONOTONIC, &sev, &id) < 0 ||
	    syscall(SYS_timer_create, CLOCK_MONOTONIC, &sev, &other) < 0)
		return dn_probe_no(detail, errno, "timer_create with a chosen id");
	return id == 7777 && other == 7 ? 0 : dn_probe_no(detail, EIO, "timer_create gave %d for 7777", id);
}

static int probe_proc_timers(char *detail)
{
	struct sigevent sev = { .sigev_notify = SIGEV_NONE };
	_cleanup_text_ struct dn_text t = {};
	int id;

	if (syscall(SYS_timer_create, CLOCK_MONOTONIC, &sev, &id) < 0)
		return dn_probe_no(detail, errno, "timer_create");
	int r = dn_read_text(&t, NULL, "/proc/self/timers");
	if (r < 0 || !strstr(t.data, "ID: "))
		return dn_probe_no(detail, r < 0 ? -r : ENOENT, "/proc/PID/timers");
	return 0;
}

struct robust {
	pthread_mutex_t mutex;
	int locked;
};

static void die_with_lock(void *arg)
{
	struct robust *robust = arg;

	pthread_mutex_lock(&robust->mutex);
	__atomic_store_n(&robust->locked, 1, __ATOMIC_SEQ_CST);
	nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL); /* the other one waits by now */
	raise(SIGKILL);
}

static int probe_robust(char *detail)
{
	struct robust *robust = shared_page();
	pthread_mutexattr_t attr;

	if (!robust)
		return dn_probe_no(detail, errno, "mmap");
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&robust->mutex, &attr);
	dn_probe_child(die_with_lock, robust);
	while (!__atomic_load_n(&robust->locked, __ATOMIC_SEQ_CST))
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	int r = pthread_mutex_lock(&robust->mutex);
	return r == EOWNERDEAD ? 0 : dn_probe_no(detail, r ? r : EIO, "the death of a lock's holder was not told");
}

static int probe_waitv(char *detail)
{
	uint32_t word = 1;
	struct futex_waitv waiter = { .val = 0, .uaddr = (uintptr_t)&word, .flags = FUTEX_32 };

	if (syscall(SYS_futex_waitv, &waiter, 1, 0, NULL, CLOCK_MONOTONIC) >= 0 || errno != EAGAIN)
		return dn_probe_no(detail, errno, "futex_waitv");
	return 0;
}

const struct dn_probe dn_probes_process[] = {
	{ "hold", "stopping threads and reading their registers (ptrace)",
	  "allow ptrace: not inside a container without SYS_PTRACE, not under a tracer", true, probe_hold },
	{ "remote system calls", "asking a process what only it can tell", "allow ptrace", true, probe_remote },
	{ "rseq", "threads that registered restartable sequences (all of glibc)", "a kernel with CONFIG_RSEQ", true,
	  probe_rseq },
	{ "user dispatch", "seeing syscall user dispatch, to refuse it", "nothing, unless the program uses it", false,
	  probe_dispatch },
	{ "pidfd", "duplicates of a process's descriptors", "a kernel from 5.6 on; allow ptrace", true, probe_pidfd },
	{ "kcmp", "file descriptions shared by dup and fork", "a kernel with CONFIG_KCMP", true, probe_kcmp },
	{ "children", "finding the tree below a process", "a kernel with CONFIG_PROC_CHILDREN", true, probe_children },
	{ "chosen pids", "restarting with the same pids (clone3 set_tid)",
	  "run as root, with CAP_CHECKPOINT_RESTORE, or in user and pid namespaces of your own (see dunlin(1), "
	  "PRIVILEGES)",
	  true, probe_set_tid },
	{ "PR_SET_MM_MAP", "command line, environment and heap of restarted processes",
	  "a kernel with CONFIG_CHECKPOINT_RESTORE", true, probe_mm_map },
	{ "exe link", "/proc/PID/exe of restarted processes", "run as root, or with CAP_CHECKPOINT_RESTORE", true,
	  probe_exe },
	{ "timer ids", "POSIX timers get their ids at once (6.15)",
	  "nothing: ids are counted up to, which takes longer", false, probe_restore_ids },
	{ "/proc/PID/timers", "finding POSIX timers", "a kernel with CONFIG_CHECKPOINT_RESTORE", true,
	  probe_proc_timers },
	{ "robust futexes", "a program runs on when dunlin is killed", "a kernel with CONFIG_FUTEX", true,
	  probe_robust },
	{ "futex_waitv", "a held thread waits for its next task and for dunlin's death (5.16)",
	  "boot a kernel from 5.16 on", true, probe_waitv },
	{},
};
