/* SPDX-License-Identifier: BSD-3-Clause */
/* refuse_signalfd.c - a signal descriptor
 *
 * refused: signal
 */
#include <sys/signalfd.h>

#include "victim.h"

int main(void)
{
	struct signalfd_siginfo info = { 0 };
	sigset_t mask;
	int fd;

	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	must(sigprocmask(SIG_BLOCK, &mask, NULL));
	fd = must(signalfd(-1, &mask, SFD_NONBLOCK));
	victim_ready();
	victim_wait();
	raise(SIGUSR1);
	check(read(fd, &info, sizeof(info)) == sizeof(info) && info.ssi_signo == SIGUSR1, "the signal did not come");
	return victim_end();
}
