/* SPDX-License-Identifier: BSD-3-Clause */
/* file_cloexec.c - close-on-exec belongs to the descriptor: an exec afterwards closes the right ones */
#include "state.h"

int main(int argc, char **argv)
{
	int keep, gone;
	char first[16], second[16];

	if (argc == 3) { /* after exec */
		NEED(fcntl(atoi(argv[1]), F_GETFD) == 0);
		NEED(fcntl(atoi(argv[2]), F_GETFD) == -1 && errno == EBADF);
		return victim_end();
	}
	gone = open("/dev/null", O_RDONLY | O_CLOEXEC);
	keep = dup(gone);
	NEED(keep >= 0 && gone >= 0);
	hold();
	NEED(fcntl(gone, F_GETFD) == FD_CLOEXEC && fcntl(keep, F_GETFD) == 0);
	snprintf(first, sizeof(first), "%d", keep);
	snprintf(second, sizeof(second), "%d", gone);
	execl("/proc/self/exe", argv[0], first, second, NULL);
	GIVE_UP("exec: %s", strerror(errno));
}
