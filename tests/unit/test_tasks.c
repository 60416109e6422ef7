/* SPDX-License-Identifier: BSD-3-Clause */
/* test_tasks.c - attributes of processes and threads: captured, restored into another process, the same there */
#include "task_pair.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/ioprio.h>
#include <linux/membarrier.h>
#include <linux/mempolicy.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#include "base/kernel.h"
#include "base/proc.h"
#include "base/util.h"
#include "resource/message.h"
#include "resource/tasks.h"

/* In a subject: a failed preparation ends it, and the test with it. */
#define MUST(call)                                                                                                     \
	do {                                                                                                           \
		if ((call) < 0) {                                                                                      \
			perror(#call);                                                                                 \
			_exit(1);                                                                                      \
		}                                                                                                      \
	} while (0)

static void root_only(void)
{
	if (geteuid() != 0)
		skip();
}

static void setup_nothing(int thread)
{
	(void)thread;
}

static void nothing_special(void **state)
{
	(void)state;
	pair_check(1, setup_nothing);
	pair_check(PAIR_THREADS, setup_nothing);
}

/* ---- credentials ---- */

static void set_caps(uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ (uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable },
		{ (uint32_t)(effective >> 32), (uint32_t)(permitted >> 32), (uint32_t)(inheritable >> 32) },
	};

	MUST(syscall(SYS_capset, &header, data));
}

#define CAP(name) (1ull << CAP_##name)

/* System calls: those of the C library change all threads. */
static void become(uid_t r, uid_t e, uid_t s, uid_t fs)
{
	MUST(syscall(SYS_setresuid, r, e, s));
	syscall(SYS_setfsuid, fs);
}

static void setup_user(int thread)
{
	const gid_t groups[] = { 4, 24, 1000, 70000 };

	MUST(syscall(SYS_setgroups, DN_ARRAY_LEN(groups), groups));
	MUST(syscall(SYS_setresgid, 1001, 1002, 1003));
	syscall(SYS_setfsgid, 1001);
	become(1000 + (uid_t)thread, 1000 + (uid_t)thread, 1000 + (uid_t)thread, 1000 + (uid_t)thread);
}

static void setup_mixed_user(int thread)
{
	(void)thread;
	become(0, 1000, 2000, 1000); /* as a daemon that has put its privileges aside */
}

static void setup_no_groups(int thread)
{
	(void)thread;
	MUST(syscall(SYS_setgroups, 0, NULL));
	MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

static void setup_many_groups(int thread)
{
	static gid_t groups[20000];

	for (size_t i = 0; i < DN_ARRAY_LEN(groups); i++)
		groups[i] = (gid_t)(5000 + 3 * i);
	/* In the slot of a thread, in that of a leader, in neither. */
	MUST(syscall(SYS_setgroups, thread == 0 ? DN_ARRAY_LEN(groups) : (size_t)(50 * thread), groups));
}

static void setup_capable_user(int thread)
{
	const uint64_t caps = CAP(NET_BIND_SERVICE) | CAP(SYS_NICE) | CAP(CHOWN);

	MUST(prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0));
	become(1000, 1000, 1000, 1000);
	for (unsigned long cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (!(caps >> cap & 1) && prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1)
			MUST(prctl(PR_CAPBSET_DROP, cap, 0, 0, 0));
	set_caps(caps | CAP(SETPCAP), caps | CAP(SETPCAP), caps);
	MUST(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_BIND_SERVICE, 0, 0));
	if (thread)
		MUST(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SYS_NICE, 0, 0));
	MUST(prctl(PR_SET_SECUREBITS,
		   SECBIT_NO_SETUID_FIXUP | SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED |
			   SECBIT_NOROOT,
		   0, 0, 0));
	set_caps(CAP(CHOWN), caps, CAP(NET_BIND_SERVICE) | CAP(SYS_NICE));
}

static void setup_weak_root(int thread)
{
	(void)thread;
	set_caps(CAP(SETPCAP), CAP(SETPCAP) | CAP(KILL), CAP(SYS_MODULE) | CAP(KILL));
	MUST(prctl(PR_CAPBSET_DROP, CAP_SYS_MODULE, 0, 0, 0)); /* and it stays inheritable */
	set_caps(0, CAP(KILL), CAP(SYS_MODULE) | CAP(KILL));
	MUST(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0));
}

static void credentials(void **state)
{
	(void)state;
	root_only();
	pair_check(PAIR_THREADS, setup_user);
	pair_check(1, setup_mixed_user);
	pair_check(1, setup_no_groups);
	pair_check(PAIR_THREADS, setup_many_groups);
	pair_check(2, setup_capable_user);
	pair_check(1, setup_weak_root);
}

/* Who has no privileges can restore who has none either. */
static void setup_keepcaps(int thread)
{
	(void)thread;
	MUST(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0));
	MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	umask(077);
}

static void unprivileged(void **state)
{
	(void)state;
	if (geteuid() != 0) {
		pair_check(2, setup_keepcaps);
		return;
	}
	pid_t pid = fork();
	if (pid == 0) {
		MUST(syscall(SYS_setgroups, 0, NULL));
		MUST(syscall(SYS_setresgid, 1000, 1000, 1000));
		MUST(syscall(SYS_setresuid, 1000, 1000, 1000));
		MUST(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
		const struct CMUnitTest again[] = { cmocka_unit_test(unprivileged) };
		_exit(cmocka_run_group_tests_name("as an ordinary user", again, NULL, NULL) ? 1 : 0);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* dunlin has less than the program had. */
static void missing_capability(void **state)
{
	struct pair_subject subject, seed;
	struct pair_state was;
	struct dn_error err = {};

	(void)state;
	root_only();
	pair_start(&subject, 1, setup_nothing);
	pair_capture(&subject, &was);
	/* One that no kernel has yet, and so no dunlin. */
	was.threads[0]->credentials->cap_permitted |= 1ull << 60 | CAP(CHOWN);
	pair_start(&seed, 1, NULL);
	assert_int_equal(pair_restore(&seed, &was, &err), -EPERM);
	assert_non_null(strstr(err.text, "capability 60"));
	assert_null(strstr(err.text, "cap_chown"));
	pair_free(&was);
	pair_end(&subject);
	pair_end(&seed);
}

/* ---- scheduling ---- */

static void setup_scheduling(int thread)
{
	const struct sched_param fifo = { .sched_priority = 7 }, none = {};
	unsigned long nodes = 1;
	cpu_set_t first;

	CPU_ZERO(&first);
	CPU_SET(0, &first);
	MUST(setpriority(PRIO_PROCESS, 0, 3 + thread));
	MUST(syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0,
		     thread ? IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, thread) : IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0)));
	MUST(prctl(PR_SET_TIMERSLACK, 100000 + thread, 0, 0, 0));
	switch (thread) {
	case 0: MUST(sched_setaffinity(0, sizeof(first), &first)); break;
	case 1: MUST(sched_setscheduler(0, SCHED_BATCH, &none)); break;
	case 2: MUST(sched_setscheduler(0, SCHED_IDLE | SCHED_RESET_ON_FORK, &none)); break;
	case 3: /* without NUMA it stays as it is */
		if (syscall(SYS_set_mempolicy, MPOL_BIND | MPOL_F_STATIC_NODES, &nodes, 64) < 0 && errno != ENOSYS)
			_exit(1);
		/* Not for everyone, nor in every cgroup. */
		if (sched_setscheduler(0, SCHED_FIFO, &fifo) < 0 && errno != EPERM)
			_exit(1);
		break;
	}
}

static void scheduling(void **state)
{
	(void)state;
	pair_check(PAIR_THREADS, setup_scheduling);
}

/* Processors that are not here are left out; if none is left, nothing changes. */
static void missing_processors(void **state)
{
	struct pair_subject subject, seed;
	struct pair_state was, is;
	struct dn_error err = {};

	(void)state;
	pair_start(&subject, 1, setup_scheduling);
	pair_capture(&subject, &was);
	pair_end(&subject);
	for (uint64_t here = 0; here < 2; here++) {
		const uint64_t mask[64] = { here, 0, 1 };
		assert_int_equal(dn_message_bytes(&was.threads[0]->scheduling->affinity, mask, sizeof(mask)), 0);
		pair_start(&seed, 1, NULL);
		if (pair_restore(&seed, &was, &err) < 0)
			fail_msg("%s", err.text);
		pair_capture(&seed, &is);
		if (here && sysconf(_SC_NPROCESSORS_ONLN) > 1) {
			assert_int_equal(is.threads[0]->scheduling->affinity.data[0], 1);
			assert_int_equal(
				is.threads[0]->scheduling->affinity.data[16 % is.threads[0]->scheduling->affinity.len],
				is.threads[0]->scheduling->affinity.len > 16 ? 0 : 1);
		} else {
			assert_int_equal(is.threads[0]->scheduling->affinity.len, 0);
		}
		pair_free(&is);
		pair_end(&seed);
	}
	pair_free(&was);
}

/* ---- small things ---- */

static char stacks[PAIR_THREADS][64 << 10];

static void setup_thread(int thread)
{
	static struct {
		void *list[3];
	} heads[PAIR_THREADS];
	const stack_t stack = { .ss_sp = stacks[thread],
				.ss_size = sizeof(stacks[thread]) - 4096 * (size_t)thread,
				.ss_flags = thread & 1 ? (int)(1u << 31) : 0 };

	MUST(prctl(PR_SET_NAME, thread == 0 ? "with\nnewline \xff" : "12345678901234567", 0, 0, 0));
	MUST(syscall(SYS_sigaltstack, &stack, NULL));
	MUST(syscall(SYS_set_robust_list, &heads[thread], sizeof(heads[thread])));
	MUST(syscall(SYS_set_tid_address, &heads[thread].list[2]));
	MUST(prctl(PR_SET_PDEATHSIG, thread ? SIGUSR1 : 0, 0, 0, 0));
	MUST(personality(thread ? ADDR_NO_RANDOMIZE | READ_IMPLIES_EXEC : UNAME26));
}

static void small_things_of_threads(void **state)
{
	(void)state;
	pair_check(PAIR_THREADS, setup_thread);
}

static void setup_process(int thread)
{
	(void)thread;
	umask(0137);
	MUST(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
	MUST(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
	MUST(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0));
	MUST(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ, 0, 0));
	MUST(chdir("/usr"));
	int fd = open("/proc/self/oom_score_adj", O_WRONLY);
	MUST(fd);
	MUST(write(fd, "123", 3));
	close(fd);
	MUST(fd = open("/proc/self/coredump_filter", O_WRONLY));
	MUST(write(fd, "0x7d", 4));
	close(fd);
}

static void setup_chroot(int thread)
{
	(void)thread;
	MUST(chroot("/usr"));
	MUST(chdir("/lib"));
	MUST(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0));
	prctl(PR_SET_MDWE, 1UL, 0UL, 0UL, 0UL); /* 6.3 */
}

static void small_things_of_processes(void **state)
{
	(void)state;
	pair_check(1, setup_process);
	root_only();
	pair_check(1, setup_chroot);
}

static void setup_limits(int thread)
{
	(void)thread;
	for (int i = 0; i < RLIM_NLIMITS; i++) {
		struct rlimit l;
		MUST(getrlimit((__rlimit_resource_t)i, &l));
		if (i == RLIMIT_NOFILE || i == RLIMIT_STACK || i == RLIMIT_AS || i == RLIMIT_DATA)
			l.rlim_cur = DN_MIN(l.rlim_cur, 1ull << (i == RLIMIT_NOFILE ? 8 : 46));
		else
			l = (struct rlimit){ DN_MIN(l.rlim_cur, 1000000u + (rlim_t)i),
					     DN_MIN(l.rlim_max, 1000100u + (rlim_t)i) };
		MUST(setrlimit((__rlimit_resource_t)i, &l));
	}
}

static void limits(void **state)
{
	(void)state;
	pair_check(1, setup_limits);
}

/* A hard limit that cannot be raised becomes the most that there is, and the soft one stays below. */
static void limits_too_high(void **state)
{
	struct pair_subject subject, seed;
	struct pair_state was, is;
	struct dn_error err = {};
	struct rlimit own;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &own), 0);
	pair_start(&subject, 1, setup_nothing);
	pair_capture(&subject, &was);
	assert_int_equal(was.process->limits[RLIMIT_NOFILE]->resource, RLIMIT_NOFILE);
	/* Above fs.nr_open: nobody may. */
	was.process->limits[RLIMIT_NOFILE]->soft = was.process->limits[RLIMIT_NOFILE]->hard = 1ull << 40;
	pair_start(&seed, 1, NULL);
	if (pair_restore(&seed, &was, &err) < 0)
		fail_msg("%s", err.text);
	pair_capture(&seed, &is);
	assert_int_equal(is.process->limits[RLIMIT_NOFILE]->soft, own.rlim_max);
	assert_int_equal(is.process->limits[RLIMIT_NOFILE]->hard, own.rlim_max);
	pair_free(&was);
	pair_free(&is);
	pair_end(&subject);
	pair_end(&seed);
}

/* ---- signals ---- */

static void handler(int sig, siginfo_t *info, void *context)
{
	(void)sig, (void)info, (void)context;
}

static void setup_actions(int thread)
{
	struct sigaction a = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART };

	(void)thread;
	sigaddset(&a.sa_mask, SIGUSR2);
	sigaddset(&a.sa_mask, SIGRTMAX);
	MUST(sigaction(SIGUSR1, &a, NULL));
	MUST(sigaction(SIGRTMAX, &a, NULL));
	a = (struct sigaction){ .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT | SA_NOCLDSTOP };
	MUST(sigaction(SIGCHLD, &a, NULL));
	a = (struct sigaction){ .sa_handler = SIG_IGN };
	MUST(sigaction(SIGPIPE, &a, NULL));
}

static void queue_one(bool to_thread, int sig, int code, int value)
{
	siginfo_t info = { .si_code = code };

	info.si_signo = sig;
	info.si_pid = getpid();
	info.si_uid = getuid();
	info.si_value.sival_int = value;
	if (to_thread)
		MUST(syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), sig, &info));
	else
		MUST(syscall(SYS_rt_sigqueueinfo, getpid(), sig, &info));
}

static void setup_pending(int thread)
{
	setup_actions(thread);
	/* More than fit a chunk or a slot. */
	for (int i = 0; i < 100; i++)
		queue_one(true, SIGRTMIN + 3 + (i & 1), SI_QUEUE, 1000 * thread + i);
	queue_one(true, SIGSEGV, SI_USER, 0);
	if (thread)
		return;
	for (int i = 0; i < 1000; i++)
		queue_one(false, SIGRTMAX - (i & 1), SI_QUEUE, i);
	MUST(kill(getpid(), SIGTERM));
	MUST(kill(getpid(), SIGTSTP));
	MUST(kill(getpid(), SIGPIPE)); /* ignored, and kept because it is blocked */
	queue_one(false, SIGCHLD, CLD_EXITED, 3);
	queue_one(false, SIGIO, SI_KERNEL, 0);
	queue_one(false, SIGRTMIN + 5, SI_TIMER, 0); /* of no timer */
}

static void signals(void **state)
{
	(void)state;
	pair_check(1, setup_actions);
	pair_check(PAIR_THREADS, setup_pending);
}

/* What a seed was sent before is gone afterwards; its parent's actions too. */
static void stray_signals(void **state)
{
	struct pair_subject subject, seed;
	struct pair_state was, is;
	struct dn_error err = {};

	(void)state;
	pair_start(&subject, 2, setup_nothing);
	pair_capture(&subject, &was);
	signal(SIGUSR1, SIG_IGN);
	pair_start(&seed, 2, NULL);
	signal(SIGUSR1, SIG_DFL);
	for (int i = 0; i < 100; i++)
		assert_int_equal(sigqueue(seed.pid, SIGRTMIN + i % 5, (union sigval){ i }), 0);
	kill(seed.pid, SIGCHLD);
	if (pair_restore(&seed, &was, &err) < 0)
		fail_msg("%s", err.text);
	pair_capture(&seed, &is);
	pair_assert_equal(&was, &is);
	pair_free(&was);
	pair_free(&is);
	pair_end(&subject);
	pair_end(&seed);
}

/* ---- timers ---- */

#define HOUR 3600L

static int create_timer(clockid_t clock, int notify, int sig)
{
	struct sigevent ev = { .sigev_notify = notify,
			       .sigev_signo = sig,
			       .sigev_value.sival_ptr = (void *)0x123456789aul };
	int id;

	ev._sigev_un._tid = gettid();
	MUST(syscall(SYS_timer_create, clock, notify == SIGEV_SIGNAL && sig == 0 ? NULL : &ev, &id));
	return id;
}

static void set_timer(int id, int flags, time_t value, time_t interval)
{
	const struct itimerspec it = { { .tv_sec = interval }, { .tv_sec = value, .tv_nsec = value ? 1 : 0 } };

	MUST(syscall(SYS_timer_settime, id, flags, &it, NULL));
}

static void setup_timers(int thread)
{
	const struct itimerval real = { { .tv_sec = HOUR }, { .tv_sec = 2 * HOUR } }, prof = { {}, { .tv_sec = HOUR } };

	(void)thread;
	MUST(setitimer(ITIMER_REAL, &real, NULL));
	MUST(setitimer(ITIMER_PROF, &prof, NULL));
	/* Ids with holes between them. */
	for (int i = 0; i < 700; i++)
		if (create_timer(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1) % 100 != 0)
			MUST(syscall(SYS_timer_delete, i));
	set_timer(100, 0, HOUR, 0);
	set_timer(200, 0, HOUR, HOUR);
	set_timer(300, TIMER_ABSTIME, time(NULL) + HOUR, 5);
	set_timer(create_timer(CLOCK_REALTIME, SIGEV_SIGNAL, 0), 0, HOUR, 0);
	set_timer(create_timer(CLOCK_BOOTTIME, SIGEV_NONE, 0), 0, HOUR, 7);
	set_timer(create_timer(CLOCK_PROCESS_CPUTIME_ID, SIGEV_SIGNAL, SIGRTMIN), 0, HOUR, 7);
	set_timer(create_timer(CLOCK_THREAD_CPUTIME_ID, SIGEV_SIGNAL, SIGRTMIN), 0, HOUR, 7);
	create_timer(CLOCK_TAI, SIGEV_THREAD, SIGRTMIN + 1);
}

/* A timer that has expired count times and is half way to the next. */
static void expired_timer(clockid_t clock, int notify, int sig, time_t count)
{
	struct timespec now;
	int id = create_timer(clock, notify, sig);

	clock_gettime(clock, &now);
	MUST(now.tv_sec - 100 * count);
	set_timer(id, TIMER_ABSTIME, now.tv_sec - 100 * count + 50, 100);
}

static void setup_expired_timers(int thread)
{
	sigset_t one;

	(void)thread;
	/* Overruns of the last signal taken. */
	sigemptyset(&one);
	sigaddset(&one, SIGRTMIN + 1);
	expired_timer(CLOCK_REALTIME, SIGEV_SIGNAL, SIGRTMIN + 1, 5);
	MUST(sigtimedwait(&one, NULL, &(struct timespec){ .tv_sec = 1 }));
	/* Pending, between others of the same number. */
	queue_one(false, SIGRTMIN + 2, SI_QUEUE, 1);
	expired_timer(CLOCK_REALTIME, SIGEV_SIGNAL, SIGRTMIN + 2, 7);
	queue_one(false, SIGRTMIN + 2, SI_QUEUE, 2);
	/* An alarm that waits for its signal to be taken before it starts again. */
	const struct itimerval soon = { { .tv_sec = HOUR }, { .tv_usec = 1 } };
	MUST(setitimer(ITIMER_REAL, &soon, NULL));
	usleep(10000);
}

/* Timers that notify one thread, with overruns; for thread 2 with the signal pending. */
static void setup_thread_timer(int thread)
{
	const int notify = SIGEV_SIGNAL | SIGEV_THREAD_ID, sig = SIGRTMIN + thread;
	sigset_t one;

	if (thread == 0)
		return;
	sigemptyset(&one);
	sigaddset(&one, sig);
	expired_timer(CLOCK_REALTIME, notify, sig, 5);
	if (thread == 1)
		MUST(sigtimedwait(&one, NULL, &(struct timespec){ .tv_sec = 1 }));
	set_timer(create_timer(CLOCK_THREAD_CPUTIME_ID, notify, sig), 0, HOUR, 0);
}

static void point_timers(struct pair_state *s, const struct pair_subject *to)
{
	for (size_t i = 0; i < s->process->n_timers; i++) {
		Dn__PosixTimer *t = s->process->timers[i];
		t->thread = pair_tid(to, t->signal - SIGRTMIN);
		/* As dunlin names the clock of a known thread. */
		if (t->clock < 0)
			t->clock = (int32_t)(~(uint32_t)t->thread << 3 | 6);
	}
}

static void timers_of_threads(void **state)
{
	struct pair_subject subject, seed;
	struct pair_state was, is;
	struct dn_error err = {};

	(void)state;
	pair_start(&subject, 3, setup_thread_timer);
	pair_capture(&subject, &was);
	assert_int_equal(was.process->n_timers, 4);
	assert_int_equal(was.process->timers[0]->thread, pair_tid(&subject, 1));
	assert_int_equal(was.process->timers[0]->overrun, 4);
	pair_start(&seed, 3, NULL);
	point_timers(&was, &seed);
	for (size_t i = 0; i < was.process->n_timers; i++)
		if (was.process->timers[i]->clock < 0)
			was.process->timers[i]->clock = -2;
	if (pair_restore(&seed, &was, &err) < 0)
		fail_msg("%s", err.text);
	pair_capture(&seed, &is);
	point_timers(&was, &seed);
	pair_assert_equal(&was, &is);
	/* Threads that are gone are notified no more. */
	pair_end(&seed);
	pair_start(&seed, 3, NULL);
	point_timers(&was, &subject);
	if (pair_restore(&seed, &was, &err) < 0)
		fail_msg("%s", err.text);
	pair_free(&was);
	pair_free(&is);
	pair_end(&subject);
	pair_end(&seed);
}

static void no_choice_of_ids(int thread)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PR_TIMER_CREATE_RESTORE_IDS, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { DN_ARRAY_LEN(code), code };

	(void)thread;
	if (geteuid() != 0)
		MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	MUST(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
}

static void timers(void **state)
{
	(void)state;
	pair_check(1, setup_timers);
	pair_check(1, setup_expired_timers);
}

/* /proc/PID/timers, without the pids. */
static char *list_timers(const struct pair_subject *s)
{
	_cleanup_text_ struct dn_text text = {};

	assert_int_equal(dn_read_text(&text, NULL, "/proc/%d/timers", s->pid), 0);
	for (char *p = text.data; (p = strstr(p, "pid.")); p++)
		while (*p && *p != '\n')
			*p++ = ' ';
	return DN_STEAL(text.data);
}

/* As before Linux 6.15. */
static void timers_without_choice_of_ids(void **state)
{
	struct pair_subject subject, seed;
	struct pair_state was;
	struct dn_error err = {};

	(void)state;
	pair_start(&subject, 1, setup_timers);
	pair_capture(&subject, &was);
	pair_seed_setup = no_choice_of_ids;
	pair_start(&seed, 1, NULL);
	pair_seed_setup = NULL;
	if (pair_restore(&seed, &was, &err) < 0)
		fail_msg("%s", err.text);
	_cleanup_free_ char *a = list_timers(&subject), *b = list_timers(&seed);
	assert_non_null(strstr(a, "ID: 600\n"));
	assert_string_equal(a, b);
	/* Too far to count. */
	pair_end(&seed);
	was.process->timers[was.process->n_timers - 1]->id = INT32_MAX;
	pair_seed_setup = no_choice_of_ids;
	pair_start(&seed, 1, NULL);
	pair_seed_setup = NULL;
	assert_int_equal(pair_restore(&seed, &was, &err), -ENOTSUP);
	assert_non_null(strstr(err.text, "2147483647"));
	pair_free(&was);
	pair_end(&subject);
	pair_end(&seed);
}

/* ---- what cannot be captured ---- */

static void setup_seccomp(int thread)
{
	if (thread)
		no_choice_of_ids(thread);
}

static void setup_own_directory(int thread)
{
	if (thread)
		MUST(unshare(CLONE_FS));
}

static void setup_own_descriptors(int thread)
{
	if (thread)
		MUST(unshare(CLONE_FILES));
}

static void setup_dispatch(int thread)
{
	static char selector;

	if (thread)
		MUST(prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, 0, 0, &selector));
}

static void refusals(void **state)
{
	static const struct {
		pair_setup *setup;
		const char *says;
	} cases[] = {
		{ setup_seccomp, "seccomp filters" },
		{ setup_own_directory, "CLONE_FS" },
		{ setup_own_descriptors, "CLONE_FILES" },
		{ setup_dispatch, "PR_SET_SYSCALL_USER_DISPATCH" },
	};

	(void)state;
	for (size_t i = 0; i < DN_ARRAY_LEN(cases); i++) {
		struct pair_subject subject;
		struct dn_error err = {};
		pair_start(&subject, 2, cases[i].setup);
		assert_int_equal(pair_look(&subject, &err), -ENOTSUP);
		assert_int_equal(err.outcome, DN_OUTCOME_REFUSED);
		assert_non_null(strstr(err.text, cases[i].says));
		pair_end(&subject);
	}
}

/* ---- what an image must not bring about ---- */

enum damage {
	FEW_UIDS,
	EFFECTIVE_NOT_PERMITTED,
	AMBIENT_NOT_INHERITABLE,
	NO_CREDENTIALS,
	NO_SCHEDULING,
	LIMIT_NUMBER,
	LIMIT_ORDER,
	ACTION_NUMBER,
	ACTION_ON_KILL,
	PENDING_SIZE,
	PENDING_NUMBER,
	PENDING_STOP,
	THREAD_PENDING_NUMBER,
	TIMER_ID,
	TIMER_TWICE,
	TIMER_SIGNAL,
	TIMER_NOTIFY,
	TIMER_TIME,
	NO_DIRECTORY,
	DAMAGES,
};

static void add_pending(ProtobufCBinaryData **queue, size_t *n, int sig, size_t size)
{
	siginfo_t info = { .si_signo = sig };

	assert_int_equal(dn_message_add_bytes(queue, n, &info, size), 0);
}

static Dn__PosixTimer *add_timer(Dn__Process *p)
{
	Dn__PosixTimer *t = dn_message_add(&p->timers, &p->n_timers, &dn__posix_timer__descriptor);

	t->id = 3;
	t->signal = SIGALRM;
	t->clock = CLOCK_MONOTONIC;
	return t;
}

static void damage(struct pair_state *s, enum damage how)
{
	Dn__Process *p = s->process;
	Dn__Thread *t = s->threads[0];
	Dn__SignalAction *a = NULL;

	if (how == ACTION_NUMBER || how == ACTION_ON_KILL)
		a = dn_message_add(&p->actions, &p->n_actions, &dn__signal_action__descriptor);
	switch (how) {
	case FEW_UIDS: t->credentials->n_uids = 3; break;
	case EFFECTIVE_NOT_PERMITTED: t->credentials->cap_effective |= 1ull << 63; break;
	case AMBIENT_NOT_INHERITABLE:
		t->credentials->cap_ambient |= 1;
		t->credentials->cap_permitted |= 1;
		break;
	case NO_CREDENTIALS:
		dn__credentials__free_unpacked(t->credentials, NULL);
		t->credentials = NULL;
		break;
	case NO_SCHEDULING:
		dn__scheduling__free_unpacked(t->scheduling, NULL);
		t->scheduling = NULL;
		break;
	case LIMIT_NUMBER: p->limits[3]->resource = RLIM_NLIMITS; break;
	case LIMIT_ORDER:
		p->limits[3]->soft = p->limits[3]->hard, p->limits[3]->hard = 0, p->limits[3]->soft |= 1;
		break;
	case ACTION_NUMBER: a->signal = DN_SIGNALS + 1; break;
	case ACTION_ON_KILL: a->signal = SIGKILL; break;
	case PENDING_SIZE: add_pending(&p->pending, &p->n_pending, SIGUSR1, sizeof(siginfo_t) - 1); break;
	case PENDING_NUMBER: add_pending(&p->pending, &p->n_pending, 0, sizeof(siginfo_t)); break;
	case PENDING_STOP: add_pending(&p->pending, &p->n_pending, SIGSTOP, sizeof(siginfo_t)); break;
	case THREAD_PENDING_NUMBER: add_pending(&t->pending, &t->n_pending, -1, sizeof(siginfo_t)); break;
	case TIMER_ID: add_timer(p)->id = -1; break;
	case TIMER_TWICE: add_timer(p), add_timer(p); break;
	case TIMER_SIGNAL: add_timer(p)->signal = 65; break;
	case TIMER_NOTIFY: add_timer(p)->notify = 9; break;
	case TIMER_TIME: add_timer(p)->value_ns = UINT64_MAX; break;
	case NO_DIRECTORY: p->cwd_file = 1000; break;
	case DAMAGES: break;
	}
}

static void damaged_images(void **state)
{
	struct pair_subject subject, seed;
	struct pair_state was;

	(void)state;
	pair_start(&subject, 1, setup_nothing);
	for (enum damage how = 0; how < DAMAGES; how++) {
		struct dn_error err = {};
		pair_capture(&subject, &was);
		/* What comes out of an image has exactly the room that it needs. */
		was.process->actions = realloc(was.process->actions, 64 * sizeof(void *));
		damage(&was, how);
		pair_start(&seed, 1, NULL);
		if (pair_restore(&seed, &was, &err) != -EINVAL || !strstr(err.text, "damaged"))
			fail_msg("damage %d: %s", how, err.text);
		pair_free(&was);
		pair_end(&seed);
	}
	pair_end(&subject);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_special),
		cmocka_unit_test(credentials),
		cmocka_unit_test(unprivileged),
		cmocka_unit_test(missing_capability),
		cmocka_unit_test(scheduling),
		cmocka_unit_test(missing_processors),
		cmocka_unit_test(small_things_of_threads),
		cmocka_unit_test(small_things_of_processes),
		cmocka_unit_test(limits),
		cmocka_unit_test(limits_too_high),
		cmocka_unit_test(signals),
		cmocka_unit_test(stray_signals),
		cmocka_unit_test(timers),
		cmocka_unit_test(timers_without_choice_of_ids),
		cmocka_unit_test(timers_of_threads),
		cmocka_unit_test(refusals),
		cmocka_unit_test(damaged_images),
	};

	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	pair_end_all();
	return failed;
}
