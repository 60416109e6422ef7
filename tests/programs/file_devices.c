/* SPDX-License-Identifier: BSD-3-Clause */
/* file_devices.c - /dev/null, zero, full, random, urandom */
#include "state.h"

int main(void)
{
	int null = open("/dev/null", O_RDWR), zero = open("/dev/zero", O_RDONLY), full = open("/dev/full", O_WRONLY);
	int random = open("/dev/urandom", O_RDONLY), append = open("/dev/null", O_WRONLY | O_APPEND | O_CLOEXEC);
	char byte = 1, noise[64] = { 0 };

	NEED(null >= 0 && zero >= 0 && full >= 0 && random >= 0 && append >= 0);
	hold();
	NEED(read(null, &byte, 1) == 0 && write(null, "x", 1) == 1);
	NEED(read(zero, &byte, 1) == 1 && byte == 0);
	NEED(write(full, "x", 1) == -1 && errno == ENOSPC);
	NEED(read(random, noise, sizeof(noise)) == sizeof(noise) && !all_zero(noise, sizeof(noise)));
	NEED(fcntl(append, F_GETFL) & O_APPEND && fcntl(append, F_GETFD) == FD_CLOEXEC);
	return victim_end();
}
