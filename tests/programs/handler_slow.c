/* SPDX-License-Identifier: BSD-3-Clause */
/* handler_slow.c - a signal handler that takes its time: it ends when the file my-out is there
 *
 * only: none plain twice
 */
#include "victim.h"

static volatile sig_atomic_t handled;

static void handler(int sig)
{
	int saved = errno;

	close(open(victim_path("my-in"), O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	while (access(victim_path("my-out"), F_OK))
		victim_sleep_ms(5);
	handled++;
	errno = saved;
}

/* Registers that a wrong way back would not bring back. */
static uint64_t spin(void)
{
	uint64_t a = 1, b = 2, c = 3, d = 4;

	while (!victim_may_go()) {
		for (int i = 0; i < 100000; i++) {
			a += b ^ c;
			b += c ^ d;
			c += d ^ a;
			d += 1;
		}
	}
	return d % 100000;
}

int main(void)
{
	struct sigaction action = { .sa_handler = handler };
	int fd = must(open(victim_path("my-in"), O_CREAT | O_WRONLY | O_CLOEXEC, 0644));

	must(close(fd));
	must(unlink(victim_path("my-in")));
	must(sigaction(SIGUSR1, &action, NULL));
	victim_ready();
	check(spin() == 4, "the registers are wrong");
	printf("%d signals were handled\n", (int)handled);
	return victim_end();
}
