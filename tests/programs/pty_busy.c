/* SPDX-License-Identifier: BSD-3-Clause */
/* pty_busy.c - a pseudo-terminal that is written to and read from all the time: nothing may be lost */
#include <poll.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "victim.h"

static int master, slave;
static atomic_bool end;
static atomic_long sent;

static void *write_numbers(void *arg)
{
	char line[32];

	while (!end) {
		int n = snprintf(line, sizeof(line), "%ld\n", (long)sent);
		check(write(slave, line, (size_t)n) == n, "write: %s", strerror(errno));
		sent++;
		if (sent % 8 == 0)
			victim_sleep_ms(3);
	}
	return NULL;
}

int main(void)
{
	long got = 0, value = 0;
	struct termios modes;
	pthread_t writer;
	char name[64];
	FILE *in;

	master = must(posix_openpt(O_RDWR | O_NOCTTY));
	must(grantpt(master));
	must(unlockpt(master));
	must0(ptsname_r(master, name, sizeof(name)));
	slave = must(open(name, O_RDWR | O_NOCTTY));
	must(tcgetattr(slave, &modes));
	cfmakeraw(&modes);
	must(tcsetattr(slave, TCSANOW, &modes));
	in = fdopen(master, "r");
	must0(pthread_create(&writer, NULL, write_numbers, NULL));
	for (;;) {
		if (got == 10)
			victim_ready();
		if (!end && victim_may_go() && got > 10) {
			end = true;
			must0(pthread_join(writer, NULL));
		}
		if (end && got == sent)
			break;
		if (fscanf(in, "%ld", &value) != 1 || value != got) {
			check(false, "number %ld is %ld", got, value);
			break;
		}
		got++;
	}
	end = true;
	return victim_end();
}
