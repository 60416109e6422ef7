/* SPDX-License-Identifier: BSD-3-Clause */
/* file_owner.c - who gets which signal about a descriptor: F_SETOWN, F_SETOWN_EX, F_SETSIG, O_ASYNC */
#include "state.h"

static volatile sig_atomic_t signal_seen, fd_seen;

static void handler(int number, siginfo_t *info, void *context)
{
	signal_seen = number;
	fd_seen = info->si_fd;
}

static void sleeper(void *unused)
{
	victim_wait();
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };
	struct f_owner_ex owner = { 0 };
	int pipes[3][2];
	pid_t pid = victim_fork(sleeper, NULL);

	NEED(sigaction(SIGRTMIN + 3, &action, NULL) == 0);
	for (int i = 0; i < 3; i++)
		NEED(pipe(pipes[i]) == 0);
	NEED(fcntl(pipes[0][0], F_SETOWN, getpid()) == 0 && fcntl(pipes[0][0], F_SETSIG, SIGRTMIN + 3) == 0);
	NEED(fcntl(pipes[0][0], F_SETFL, O_ASYNC | O_NONBLOCK) == 0);
	NEED(fcntl(pipes[1][0], F_SETOWN, -getpgrp()) == 0);
	owner.type = F_OWNER_PID;
	owner.pid = pid;
	NEED(fcntl(pipes[1][1], F_SETOWN_EX, &owner) == 0);
	owner.type = F_OWNER_TID;
	owner.pid = victim_gettid();
	NEED(fcntl(pipes[2][0], F_SETOWN_EX, &owner) == 0 && fcntl(pipes[2][0], F_SETSIG, SIGUSR1) == 0);

	hold();

	NEED(fcntl(pipes[0][0], F_GETOWN) == getpid() && fcntl(pipes[0][0], F_GETSIG) == SIGRTMIN + 3);
	NEED(fcntl(pipes[0][0], F_GETFL) == (O_ASYNC | O_NONBLOCK));
	NEED(fcntl(pipes[1][0], F_GETOWN_EX, &owner) == 0 && owner.type == F_OWNER_PGRP && owner.pid == getpgrp());
	NEED(fcntl(pipes[1][1], F_GETOWN) == pid && fcntl(pipes[1][1], F_GETSIG) == 0);
	NEED(fcntl(pipes[2][0], F_GETOWN_EX, &owner) == 0 && owner.type == F_OWNER_TID && owner.pid == victim_gettid());
	NEED(fcntl(pipes[2][0], F_GETSIG) == SIGUSR1 && fcntl(pipes[2][1], F_GETOWN) == 0);
	NEED(write(pipes[0][1], "x", 1) == 1);
	for (int ms = 0; ms < 10000 && !signal_seen; ms++)
		victim_sleep_ms(1);
	NEED(signal_seen == SIGRTMIN + 3 && fd_seen == pipes[0][0]);
	victim_join(pid);
	return victim_end();
}
