/* SPDX-License-Identifier: BSD-3-Clause */
/* torture_births.c - processes and threads begin and end without end, by fork, vfork, exec and clone
 *
 * not: none plain restart foreground twice again pipe user userns (for tests/kill/births.sh)
 * unsettled: all
 */
#include <spawn.h>
#include <stdatomic.h>

#include "victim.h"

static atomic_bool end;
static atomic_long rounds;

static void *nothing(void *arg)
{
	return arg;
}

static void *making_threads(void *arg)
{
	while (!end) {
		pthread_t t;
		void *result = NULL;

		must0(pthread_create(&t, NULL, nothing, &end));
		must0(pthread_join(t, &result));
		check(result == &end, "a thread ended with %p", result);
		rounds++;
	}
	return NULL;
}

static void reap(pid_t pid, int wanted)
{
	int status = 0;
	pid_t got = waitpid(pid, &status, 0);

	check(got == pid, "waitpid: got %d (%s)", got, strerror(errno));
	check(WIFEXITED(status) && WEXITSTATUS(status) == wanted, "a child ended with status %x", (unsigned int)status);
}

static void *forking(void *arg)
{
	for (int n = 0; !end; n = (n + 1) % 100, rounds++) {
		pid_t pid = must(fork());

		if (pid == 0) {
			/* Grandchildren, orphans of a sort. */
			if (n % 3 == 0 && fork() == 0)
				_exit(0);
			_exit(n);
		}
		reap(pid, n);
	}
	return NULL;
}

static void *spawning(void *arg)
{
	char *const argv[] = { "sh", "-c", "exit 7", NULL }, *const envp[] = { NULL };

	for (; !end; rounds++) {
		pid_t pid;

		must0(posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, envp));
		reap(pid, 7);
	}
	return NULL;
}

/* A process that becomes another program again and again; 9 in the end. */
static void execing(void *arg)
{
	execl("/bin/sh", "sh", "-c", "[ -e \"$0/go\" ] && exit 9; exec sh -c \"$1\" \"$0\" \"$1\"", victim_dir(),
	      "[ -e \"$0/go\" ] && exit 9; exec sh -c \"$1\" \"$0\" \"$1\"", NULL);
	_exit(1);
}

int main(void)
{
	static void *(*const all[])(void *) = { making_threads, forking, spawning };
	pthread_t threads[COUNT(all)];
	pid_t becoming = victim_fork(execing, NULL);

	for (size_t i = 0; i < COUNT(all); i++)
		must0(pthread_create(&threads[i], NULL, all[i], NULL));
	while (rounds < 20)
		victim_sleep_ms(1);
	victim_ready();
	victim_wait();
	end = true;
	for (size_t i = 0; i < COUNT(all); i++)
		must0(pthread_join(threads[i], NULL));
	reap(becoming, 9);
	return victim_end();
}
