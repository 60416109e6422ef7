/* SPDX-License-Identifier: BSD-3-Clause */
/* victim.h - the frame of a self-checking program
 *
 * Each program of this folder makes one kind of state, says that it is ready, waits while tests/run
 * does to it what it wants (nothing at all, in mode "none"), and then verifies everything:
 *
 *	int main(void)
 *	{
 *		... make the state ...
 *		victim_ready();
 *		victim_wait();
 *		check(x == y, "x: expected %d, got %d", y, x);
 *		return victim_end();
 *	}
 *
 * $VICTIM_DIR is a folder of its own that anybody may write to: the files ready, go (made by tests/run),
 * failures and result live there, names of a program's own start with "my".  Without $VICTIM_DIR a
 * program does not wait.  Exit status: 0 passed, 1 failed, 77 cannot run here.  All processes of a program
 * are ended and reaped by the program itself.
 *
 * The comment at the top of a program tells tests/run about it, a line each:
 *	 * not: MODE... (why)	modes that make no sense for it
 *	 * only: MODE...	no others but these
 *	 * refused: REGEX	dunlin must refuse it (exit status 3) with a message that matches
 *	 * stopped: yes		it stops itself after victim_ready(), to be continued in the end
 *	 * fails: REGEX		the same with exit status 1: it may work at another moment
 *	 * unsettled: WHAT...	parts of the snapshot that the program itself changes while it waits
 *				(of those that `tests/snapshot` prints; "all" for all)
 */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define VICTIM_SKIP 77
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Verifies; a failure is noted and the program goes on. */
#define check(cond, ...) ((cond) ? (void)0 : victim_fail(__FILE__, __LINE__, __VA_ARGS__))

/* For calls that prepare the state: a result of -1 ends the program as failed; gives the result. */
#define must(call)                                                                                                     \
	({                                                                                                             \
		__auto_type must_ = (call);                                                                            \
		if (must_ == (__typeof__(must_))-1)                                                                    \
			victim_give_up(__FILE__, __LINE__, #call);                                                     \
		must_;                                                                                                 \
	})
/* The same for pthread functions, which return the error. */
#define must0(call)                                                                                                    \
	do {                                                                                                           \
		errno = (call);                                                                                        \
		if (errno)                                                                                             \
			victim_give_up(__FILE__, __LINE__, #call);                                                     \
	} while (0)

void victim_fail(const char *file, int line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void victim_give_up(const char *file, int line, const char *what) __attribute__((noreturn));
/* This kernel or machine cannot do it: exit status 77.  can() is must() for calls that need a privilege or
 * a kernel that is not there everywhere. */
#define can(call)                                                                                                      \
	({                                                                                                             \
		__auto_type can_ = (call);                                                                             \
		if (can_ == (__typeof__(can_))-1 && (errno == EPERM || errno == EACCES || errno == EINVAL ||           \
						     errno == ENOSYS || errno == EOPNOTSUPP || errno == ENODEV))       \
			victim_skip("%s: %s", #call, strerror(errno));                                                 \
		must(can_);                                                                                            \
	})
void victim_skip(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* $VICTIM_DIR, or NULL. */
const char *victim_dir(void);
/* A path in $VICTIM_DIR (or /tmp); static storage, good until the 4th next call. */
const char *victim_path(const char *name);

/* All state is there: tests/run may begin. */
void victim_ready(void);
/* Until tests/run has done its part.  In any process or thread. */
void victim_wait(void);
/* The same question without waiting. */
bool victim_may_go(void);
/* What main returns (or a child gives to _exit): 0, or 1 if a check failed in this process.  To be called
 * last: in the first process it also writes the result. */
int victim_end(void);

/* fork; the child runs fn(arg) and exits with 1 if a check failed in it, else with 0. */
pid_t victim_fork(void (*fn)(void *arg), void *arg);
/* Reaps a child and checks that it exited with 0. */
void victim_join(pid_t pid);

/* Children tell that they are where they should be: open the gate before fork, victim_here() in each child
 * (also closes it there), victim_all_here() in the parent waits for n of them and closes it. */
void victim_gate(void);
void victim_here(void);
void victim_all_here(int n);

/* Waits until a thread sits in system call nr (-1: any), and for a process to be in a state (as in
 * /proc/PID/stat).  Gives up after 20 s. */
void victim_await_syscall(pid_t pid, pid_t tid, long nr);
void victim_await_state(pid_t pid, char state);

/* Whole text of a small file; malloc'd, NUL-terminated; NULL if it cannot be read. */
char *victim_read(const char *path, size_t *ret_len);
/* The value of "key:" in /proc/PID/status (pid 0: of this thread); static storage. */
const char *victim_status(pid_t pid, const char *key);

/* CLOCK_MONOTONIC in seconds. */
double victim_clock(void);
void victim_sleep_ms(int ms);

static inline pid_t victim_gettid(void)
{
	return (pid_t)syscall(SYS_gettid);
}
