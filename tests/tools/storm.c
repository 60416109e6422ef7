/* SPDX-License-Identifier: BSD-3-Clause */
/* storm.c - kills dunlin at random moments of a checkpoint, again and again
 *
 *	storm -n KILLS [-s SEED] -- IMAGE COMMAND...
 *
 * COMMAND takes a checkpoint into IMAGE.  It is run a few times to the end, to know how long it takes; then each run is
 * killed by SIGKILL at a moment chosen evenly within that time.  IMAGE must be there only if the command
 * ended by itself.  Prints one line of what happened.  Exit status: 0, or 1 if a run to the end failed.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void sleep_for(double s)
{
	struct timespec t = { (time_t)s, (long)((s - (double)(time_t)s) * 1e9) };

	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &t, &t) == EINTR)
		;
}

static pid_t start(char **command)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	execvp(command[0], command);
	perror(command[0]);
	_exit(127);
}

/* How long a run takes, in seconds; negative if it failed. */
static double run_to_end(char **command)
{
	double begin = now();
	pid_t pid = start(command);
	int status;

	if (waitpid(pid, &status, 0) != pid || status != 0) {
		fprintf(stderr, "%s: status %x\n", command[0], status);
		return -1;
	}
	return now() - begin;
}

int main(int argc, char **argv)
{
	long kills = 100, seed = (long)getpid() * 1000 + (long)time(NULL);
	int opt, killed = 0, ended = 0, failed = 0;
	const char *image;
	double took = 0;

	while ((opt = getopt(argc, argv, "+n:s:")) != -1) {
		if (opt == 'n')
			kills = atol(optarg);
		else if (opt == 's')
			seed = atol(optarg);
		else
			return 2;
	}
	if (argc - optind < 2)
		return 2;
	image = argv[optind];
	argv += optind + 1;
	for (int i = 0; i < 3; i++) {
		double t = run_to_end(argv);

		if (t < 0)
			return 1;
		took = t > took ? t : took;
	}
	unlink(image);
	srand48(seed);
	for (long i = 0; i < kills; i++) {
		pid_t pid = start(argv);
		int status = 0;

		sleep_for(drand48() * took * 1.05);
		kill(pid, SIGKILL);
		if (waitpid(pid, &status, 0) != pid)
			return 1;
		if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
			killed++;
			/* Killed after the rename the image is whole: that is for `dunlin verify` to say. */
		} else if (status == 0) {
			ended++;
			if (access(image, F_OK)) {
				fprintf(stderr, "run %ld ended well and left no image\n", i);
				return 1;
			}
		} else {
			failed++;
			fprintf(stderr, "run %ld of seed %ld: status %x\n", i, seed, status);
		}
	}
	printf("%d killed, %d came to their end before, %d failed; one run takes %.1f ms; seed %ld\n", killed, ended,
	       failed, took * 1000, seed);
	return failed != 0;
}
