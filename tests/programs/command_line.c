/* SPDX-License-Identifier: BSD-3-Clause */
/* command_line.c - a command line and an environment that the program wrote over, its name, its auxv */
#include <sys/auxv.h>

#include "victim.h"

static char *before[4];
static size_t length[4];
static const char *const files[] = { "/proc/self/cmdline", "/proc/self/environ", "/proc/self/auxv", "/proc/self/comm" };

int main(int argc, char **argv, char **envp)
{
	unsigned long random = getauxval(AT_RANDOM), entry = getauxval(AT_ENTRY), vdso = getauxval(AT_SYSINFO_EHDR);
	unsigned char seed[16];
	char **e;

	memcpy(seed, (void *)random, sizeof(seed));
	/* As setproctitle does it: over the arguments, some bytes that are no text. */
	memset(argv[0], 'x', strlen(argv[0]));
	argv[0][1] = '\n';
	argv[0][2] = (char)0xff;
	for (e = envp; *e; e++)
		if (strncmp(*e, "PATH=", 5) == 0)
			memset(*e + 5, '/', strlen(*e + 5));
	must(prctl(PR_SET_NAME, "new ) R 1\n\xfe\t\\"));
	for (size_t i = 0; i < COUNT(files); i++)
		before[i] = victim_read(files[i], &length[i]);
	victim_ready();
	victim_wait();
	for (size_t i = 0; i < COUNT(files); i++) {
		size_t len = 0;
		char *now = victim_read(files[i], &len);

		check(now && len == length[i] && memcmp(now, before[i], len) == 0, "%s is another one", files[i]);
	}
	check(getauxval(AT_RANDOM) == random && memcmp(seed, (void *)random, 16) == 0, "AT_RANDOM changed");
	check(getauxval(AT_ENTRY) == entry, "AT_ENTRY changed");
	check(getauxval(AT_SYSINFO_EHDR) == vdso, "AT_SYSINFO_EHDR changed");
	return victim_end();
}
