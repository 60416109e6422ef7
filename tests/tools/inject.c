/* SPDX-License-Identifier: BSD-3-Clause */
/* inject.c - what if dunlin is killed at its N-th system call, or that call fails?  For every N.
 *
 *	inject [-c | -r | -k RESTART] [-w WHAT,...] [-f FIRST] [-s STEP] [-d FOLDER] -p PID,... -- COMMAND...
 *
 * COMMAND is run under ptrace again and again, with one fault each time, until it makes no more calls than were
 * tried.  WHAT: "kill", or an errno's number (EINTR 4, EIO 5, ENOMEM 12, EMFILE 24, ENOSPC 28).  Only every STEP-th
 *call is tried.
 *
 * A checkpoint: the processes PID must look the same after each run: memory map, descriptors, signal masks, no
 * tracer, each thread in the same system call; what a killed dunlin may leave is overlooked until the next run
 * that comes to its end.  They must not change by themselves.
 * (-c: a run without a fault follows each killed one, then they must look the same.)
 * A restart (-r): after each run either all processes PID are there, and nothing else is, or nothing.
 * A checkpoint --kill (-k): after each run all of them look the same, or none is there; then RESTART, a command of
 * the shell, brings them back.
 * FOLDER must contain the same names after each run, but for the unfinished image of a killed dunlin.
 * Exit status: 0, or 1 after the first anomaly, which is printed.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PIDS_MAX 64
#define TEXT_MAX (1u << 20)
#define PATIENCE_S 20.0
#define KILL 0
#define ARENA "memfd:dunlin"

static struct {
	pid_t pids[PIDS_MAX];
	int pid_count;
	bool restart, clean;
	const char *folder, *bring_back;
	char **command;
	long n; /* the fault of this run */
	int what;
	long nr; /* which system call it was */
} t = { .folder = NULL };

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void pause_ms(long ms)
{
	nanosleep(&(struct timespec){ 0, ms * 1000000 }, NULL);
}

static void __attribute__((noreturn, format(printf, 1, 2))) anomaly(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "FAILED: %s at call %ld (number %ld): ", t.what ? strerror(t.what) : "killed", t.n, t.nr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

/* ---- a run with a fault ---- */

static pid_t start(void)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	int null = open("/dev/null", O_RDWR);
	dup2(null, 0);
	if (!getenv("INJECT_VERBOSE")) {
		dup2(null, 1);
		dup2(null, 2);
	}
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
	execvp(t.command[0], t.command);
	_exit(127);
}

/* Who waits looks now and then: how often is chance, and not counted. */
static bool is_wait(long nr)
{
	return nr == SYS_futex || nr == SYS_wait4 || nr == SYS_nanosleep || nr == SYS_sched_yield ||
	       nr == SYS_clock_nanosleep || nr == SYS_kill;
}

/* Calls that do not fail in life, or whose failure means that something else has happened. */
static bool never_fails(long nr)
{
	switch (nr) {
	case SYS_exit:
	case SYS_exit_group:
	case SYS_rt_sigreturn:
	case SYS_rt_sigprocmask:
	case SYS_close:
	case SYS_brk:
	case SYS_munmap:
	case SYS_ptrace:
	case SYS_pidfd_send_signal:
	case SYS_set_robust_list:
	case SYS_getpid:
	case SYS_gettid: return true;
	default: return false;
	}
}

struct run {
	pid_t main;
	long calls;
	bool counting, done;
	pid_t failing; /* the thread whose call is to fail */
	int status;
};

/* The entry of a call in thread tid. */
static void at_entry(struct run *r, pid_t tid, long nr)
{
	struct user_regs_struct regs;

	/* The dynamic loader's own calls do not count: it is done with them when libc asks for the stack's limit. */
	r->counting = r->counting || nr == SYS_prlimit64;
	if (!r->counting || r->done || is_wait(nr) || ++r->calls < t.n)
		return;
	r->done = true;
	t.nr = nr;
	if (t.what == KILL) {
		kill(r->main, SIGKILL);
		return;
	}
	if (never_fails(nr) || ptrace(PTRACE_GETREGS, tid, NULL, &regs) < 0)
		return;
	regs.orig_rax = (unsigned long long)-1;
	ptrace(PTRACE_SETREGS, tid, NULL, &regs);
	r->failing = tid;
}

static void at_exit(struct run *r, pid_t tid)
{
	struct user_regs_struct regs;

	if (r->failing != tid || ptrace(PTRACE_GETREGS, tid, NULL, &regs) < 0)
		return;
	regs.rax = (unsigned long long)-(long)t.what;
	ptrace(PTRACE_SETREGS, tid, NULL, &regs);
	r->failing = 0;
}

/* What a thread of the command reports; on it goes. */
static void take(struct run *r, pid_t tid, int status)
{
	int sig = WSTOPSIG(status), event = status >> 16, deliver = 0;

	if (sig == (SIGTRAP | 0x80)) {
		struct __ptrace_syscall_info info = { 0 };
		ptrace(PTRACE_GET_SYSCALL_INFO, tid, (void *)sizeof(info), &info);
		if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
			at_entry(r, tid, (long)info.entry.nr);
		else
			at_exit(r, tid);
	} else if (event == 0 && sig != SIGSTOP) {
		deliver = sig;
	}
	ptrace(r->done && !r->failing ? PTRACE_CONT : PTRACE_SYSCALL, tid, NULL, (void *)(long)deliver);
}

/* Runs the command with the fault; false: it makes fewer calls, *ret_calls. */
static bool run(int *ret_status, long *ret_calls)
{
	struct run r = { .main = start() };
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
	double begin = now();
	int status;

	if (waitpid(r.main, &status, 0) != r.main || !WIFSTOPPED(status))
		anomaly("cannot start the command");
	ptrace(PTRACE_SETOPTIONS, r.main, NULL, options);
	ptrace(PTRACE_SYSCALL, r.main, NULL, 0);
	for (;;) {
		pid_t tid = waitpid(-1, &status, __WALL | WNOHANG | __WNOTHREAD);
		if (tid < 0)
			anomaly("lost the command");
		if (tid == 0) {
			if (now() - begin > PATIENCE_S)
				anomaly("no end after %.0f s", PATIENCE_S);
			nanosleep(&(struct timespec){ 0, 10000 }, NULL);
			continue;
		}
		if (WIFSTOPPED(status))
			take(&r, tid, status);
		else if (tid == r.main)
			break;
	}
	*ret_status = status;
	if (ret_calls)
		*ret_calls = r.calls;
	return r.done;
}

/* ---- what the program looks like ---- */

struct text {
	char data[TEXT_MAX];
	size_t len;
};

static void __attribute__((format(printf, 2, 3))) add(struct text *x, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	x->len += (size_t)vsnprintf(x->data + x->len, TEXT_MAX - x->len, fmt, ap);
	va_end(ap);
	if (x->len >= TEXT_MAX)
		anomaly("the processes are too large to look at");
}

/* Lines of a file of /proc, but for those that say `without`; with keys only those that begin with one. */
static void add_lines(struct text *x, const char *path, const char *without, const char *const *keys)
{
	char line[4096];
	FILE *f = fopen(path, "re");

	while (f && fgets(line, sizeof(line), f)) {
		bool wanted = !keys && (!without || !strstr(line, without));
		for (int i = 0; keys && keys[i]; i++)
			wanted = wanted || strncmp(line, keys[i], strlen(keys[i])) == 0;
		if (wanted)
			add(x, "%s: %s", path, line);
	}
	if (f)
		fclose(f);
}

static void add_thread(struct text *x, pid_t pid, int tid)
{
	static const char *const keys[] = { "State:", "TracerPid:", "Threads:", "SigPnd", "SigBlk",
					    "SigIgn", "SigCgt",	    "ShdPnd",	NULL };
	char path[512];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/status", pid, tid);
	add_lines(x, path, NULL, keys);
	snprintf(path, sizeof(path), "/proc/%d/task/%d/syscall", pid, tid);
	add_lines(x, path, NULL, NULL);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return atoi((*a)->d_name) - atoi((*b)->d_name);
}

static int is_number(const struct dirent *e)
{
	return isdigit((unsigned char)e->d_name[0]);
}

static void look(struct text *x, bool tolerant)
{
	char path[512], link[4096];

	x->len = 0;
	x->data[0] = '\0';
	for (int i = 0; i < t.pid_count; i++) {
		struct dirent **list;
		snprintf(path, sizeof(path), "/proc/%d/maps", t.pids[i]);
		add_lines(x, path, tolerant ? ARENA : NULL, NULL);
		snprintf(path, sizeof(path), "/proc/%d/fd", t.pids[i]);
		int n = scandir(path, &list, is_number, by_name);
		for (int k = 0; k < n; free(list[k++])) {
			snprintf(path, sizeof(path), "/proc/%d/fd/%s", t.pids[i], list[k]->d_name);
			ssize_t len = readlink(path, link, sizeof(link) - 1);
			link[len > 0 ? len : 0] = '\0';
			if (!tolerant || !strstr(link, ARENA))
				add(x, "%s: %s\n", path, link);
		}
		if (n >= 0)
			free(list);
		snprintf(path, sizeof(path), "/proc/%d/task", t.pids[i]);
		n = scandir(path, &list, is_number, by_name);
		for (int k = 0; k < n; free(list[k++]))
			add_thread(x, t.pids[i], atoi(list[k]->d_name));
		if (n >= 0)
			free(list);
	}
}

/* FDSize grows and never shrinks; a leftover descriptor may have made it grow. */
static void say_difference(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	fprintf(stderr, "expected: ...%.200s\nfound:    ...%.200s\n", a, b);
}

static struct text before, after;

/* Once all wait again: after a restart each has yet to go back into its call. */
static void look_at_first(void)
{
	for (double begin = now(); now() - begin < PATIENCE_S; pause_ms(1)) {
		look(&before, false);
		if (!strstr(before.data, "running"))
			break;
	}
}

/* Until they look as before: threads may still be on their way home. */
static void must_look_as_before(bool tolerant)
{
	double begin = now();

	for (;;) {
		look(&after, tolerant);
		if (strcmp(before.data, after.data) == 0)
			return;
		if (now() - begin > PATIENCE_S)
			break;
		pause_ms(1);
	}
	say_difference(before.data, after.data);
	anomaly("the program does not look as before");
}

/* ---- the folder ---- */

static int not_hidden(const struct dirent *e)
{
	return strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
}

/* How many files; those of a killed dunlin are removed. */
static int count_files(bool killed)
{
	struct dirent **list;
	char path[4096];
	int count = 0, n = t.folder ? scandir(t.folder, &list, not_hidden, alphasort) : 0;

	for (int i = 0; i < n; free(list[i++])) {
		snprintf(path, sizeof(path), "%s/%s", t.folder, list[i]->d_name);
		if (killed && strstr(list[i]->d_name, "dunlin-"))
			unlink(path);
		else
			count++;
	}
	if (t.folder && n >= 0)
		free(list);
	return count;
}

/* ---- after a run ---- */

/* Neither ended nor ending: a killed dunlin takes processes along. */
static bool alive(pid_t pid)
{
	const unsigned int exiting = 0x4; /* PF_EXITING */
	char path[64], text[1024];
	unsigned int flags = exiting;
	char state = 'Z';

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	FILE *f = fopen(path, "re");
	if (!f)
		return false;
	const char *end = fgets(text, sizeof(text), f) ? strrchr(text, ')') : NULL;
	fclose(f);
	if (!end || sscanf(end + 1, " %c %*d %*d %*d %*d %*d %u", &state, &flags) != 2)
		return false;
	return state != 'Z' && state != 'X' && !(flags & exiting);
}

static int living(void)
{
	int n = 0;

	for (int i = 0; i < t.pid_count; i++)
		n += alive(t.pids[i]);
	return n;
}

/* All processes below us are gone, and reaped. */
static bool all_gone(void)
{
	while (waitpid(-1, NULL, WNOHANG | __WALL) > 0)
		;
	return waitpid(-1, NULL, WNOHANG | __WALL) < 0 && errno == ECHILD;
}

static void end_all(void)
{
	for (int i = 0; i < t.pid_count; i++)
		kill(t.pids[i], SIGSTOP);
	for (int i = 0; i < t.pid_count; i++)
		kill(t.pids[i], SIGKILL);
	for (double begin = now(); !all_gone(); pause_ms(1))
		if (now() - begin > PATIENCE_S)
			anomaly("the program cannot be ended");
}

static void check_restart(int status)
{
	bool killed = WIFSIGNALED(status);

	for (double begin = now(); now() - begin < PATIENCE_S; pause_ms(1)) {
		/* Twice: one that is between the signal and its end looks alive for a moment. */
		if (living() == t.pid_count && (killed || status == 0)) {
			pause_ms(5);
			if (living() < t.pid_count)
				continue;
			end_all();
			return;
		}
		if (all_gone() && living() == 0 && status != 0)
			return;
	}
	anomaly("status %x, and %d of %d processes are there", (unsigned int)status, living(), t.pid_count);
}

static void check_end(int status)
{
	for (double begin = now(); now() - begin < PATIENCE_S; pause_ms(1)) {
		if (living() == t.pid_count && status) {
			pause_ms(5);
			if (living() < t.pid_count)
				continue;
			must_look_as_before(WIFSIGNALED(status));
			return;
		}
		while (waitpid(-1, NULL, WNOHANG | __WALL) > 0)
			;
		bool gone = true;
		for (int i = 0; i < t.pid_count; i++)
			gone = gone && kill(t.pids[i], 0) < 0;
		if (!gone)
			continue;
		int again = system(t.bring_back);
		if (again)
			anomaly("and then the restart ended with status %x", (unsigned int)again);
		look_at_first();
		return;
	}
	anomaly("status %x, and %d of %d processes are there", (unsigned int)status, living(), t.pid_count);
}

static void run_clean(void)
{
	const long n = t.n;
	int status;

	t.n = INT64_MAX;
	run(&status, NULL);
	t.n = n;
	if (status)
		anomaly("the next run ended with status %x", (unsigned int)status);
	must_look_as_before(false);
}

static void check(int status, int files)
{
	bool killed = WIFSIGNALED(status);

	if (killed && (t.what != KILL || WTERMSIG(status) != SIGKILL))
		anomaly("the command died of signal %d", WTERMSIG(status));
	if (t.restart)
		check_restart(status);
	else if (t.bring_back)
		check_end(status);
	else if (killed && t.clean)
		run_clean();
	else
		must_look_as_before(killed || t.n % 16);
	int now_files = count_files(killed);
	/* The image itself comes and goes. */
	if (now_files > files + !t.restart)
		anomaly("%d files in %s where there were %d", now_files, t.folder, files);
}

static void try_all(long first, long step)
{
	int files = count_files(false), status;
	long failed = 0, killed = 0, ended = 0, calls;

	if (first < 0) {
		t.n = INT64_MAX;
		run(&status, &calls);
		check(status, files);
		first = calls + first > 0 ? calls + first : 1;
	}
	for (t.n = first;; t.n += step) {
		bool more = run(&status, NULL);
		check(status, files);
		if (!more)
			break;
		killed += WIFSIGNALED(status);
		failed += WIFEXITED(status) && status;
		ended += status == 0;
	}
	printf("%-24s %ld calls: %ld times killed, %ld failed, %ld not\n", t.what ? strerror(t.what) : "killed", t.n,
	       killed, failed, ended);
	if (!t.restart) /* what is left must go with the next one */
		must_look_as_before(false);
}

int main(int argc, char **argv)
{
	char *what = "kill,5,12", *pids = NULL;
	long first = 1, step = 1;
	int opt;

	while ((opt = getopt(argc, argv, "+crk:w:f:s:d:p:")) != -1) {
		switch (opt) {
		case 'r': t.restart = true; break;
		case 'k': t.bring_back = optarg; break;
		case 'c': t.clean = true; break;
		case 'w': what = optarg; break;
		case 'f': first = atol(optarg); break;
		case 's': step = atol(optarg); break;
		case 'd': t.folder = optarg; break;
		case 'p': pids = optarg; break;
		default: return 2;
		}
	}
	for (char *p = pids ? strtok(pids, ",") : NULL; p && t.pid_count < PIDS_MAX; p = strtok(NULL, ","))
		t.pids[t.pid_count++] = atoi(p);
	t.command = argv + optind;
	if (optind == argc || !t.pid_count || step < 1 || !first)
		return 2;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	setvbuf(stdout, NULL, _IOLBF, 0);
	look_at_first();
	char *copy = strdup(what);
	for (char *w = copy ? strtok(copy, ",") : NULL; w; w = strtok(NULL, ",")) {
		t.what = strcmp(w, "kill") == 0 ? KILL : atoi(w);
		try_all(first, step);
	}
	free(copy);
	return 0;
}
