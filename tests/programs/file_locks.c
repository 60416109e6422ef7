/* SPDX-License-Identifier: BSD-3-Clause */
/* file_locks.c - locks that are held: flock, POSIX with ranges, those of open file descriptions */
#include <sys/file.h>

#include "victim.h"

static char flocked[1024], ranged[1024], described[1024];

static struct flock range(short type, off_t start, off_t len)
{
	return (struct flock){ .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len };
}

/* Who holds what is asked from another process. */
static void ask(void *arg)
{
	pid_t owner = getppid();
	int a = must(open(flocked, O_RDWR | O_CLOEXEC)), b = must(open(ranged, O_RDWR | O_CLOEXEC)),
	    c = must(open(described, O_RDWR | O_CLOEXEC));
	struct flock l;

	check(flock(a, LOCK_EX | LOCK_NB) == -1 && errno == EWOULDBLOCK, "flock: an exclusive lock was given");
	check(flock(a, LOCK_SH | LOCK_NB) == 0, "flock: a shared lock beside a shared one was refused");

	l = range(F_RDLCK, 0, 10);
	must(fcntl(b, F_GETLK, &l));
	check(l.l_type == F_UNLCK, "POSIX: the first ten bytes are locked against reading");
	l = range(F_WRLCK, 0, 10);
	must(fcntl(b, F_GETLK, &l));
	check(l.l_type == F_RDLCK && l.l_start == 0 && l.l_len == 10 && l.l_pid == owner,
	      "POSIX read lock: type %d start %ld len %ld pid %d", l.l_type, (long)l.l_start, (long)l.l_len, l.l_pid);
	l = range(F_WRLCK, 50, 1);
	must(fcntl(b, F_GETLK, &l));
	check(l.l_type == F_UNLCK, "POSIX: byte 50 is locked");
	l = range(F_RDLCK, 200, 1);
	must(fcntl(b, F_GETLK, &l));
	check(l.l_type == F_WRLCK && l.l_start == 100 && l.l_len == 0, "POSIX write lock: type %d start %ld len %ld",
	      l.l_type, (long)l.l_start, (long)l.l_len);

	l = range(F_RDLCK, 5, 1);
	must(fcntl(c, F_GETLK, &l));
	check(l.l_type == F_WRLCK && l.l_start == 0 && l.l_len == 6 && l.l_pid == -1,
	      "OFD lock: type %d start %ld len %ld pid %d", l.l_type, (long)l.l_start, (long)l.l_len, l.l_pid);
}

int main(void)
{
	struct flock l;
	int a, b, c;

	snprintf(flocked, sizeof(flocked), "%s", victim_path("my-flocked"));
	snprintf(ranged, sizeof(ranged), "%s", victim_path("my-ranged"));
	snprintf(described, sizeof(described), "%s", victim_path("my-described"));
	a = must(open(flocked, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	b = must(open(ranged, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	c = must(open(described, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	must(flock(a, LOCK_SH));
	l = range(F_RDLCK, 0, 10);
	must(fcntl(b, F_SETLK, &l));
	l = range(F_WRLCK, 100, 0);
	must(fcntl(b, F_SETLK, &l));
	l = range(F_WRLCK, 0, 6);
	must(fcntl(c, F_OFD_SETLK, &l));
	victim_ready();
	victim_wait();
	victim_join(victim_fork(ask, NULL));
	return victim_end();
}
