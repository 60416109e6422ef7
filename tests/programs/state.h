/* SPDX-License-Identifier: BSD-3-Clause */
/* state.h - what the memory and file programs share
 *
 * A program here builds some state, calls hold(), and looks afterwards whether the state is still there
 * and still works.  Processes of one program wait for each other with step() and step_wait(), on a
 * counter in shared memory.
 */
#pragma once

#include <stdatomic.h>
#include <sys/auxv.h>

#include "victim.h"

/* Newer than Debian 12's headers. */
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* Linux 6.13 */
#define MADV_GUARD_REMOVE 103
#endif
#ifndef SYS_mseal
#define SYS_mseal 462 /* Linux 6.10 */
#endif

#define PAGE ((size_t)4096)
#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)
#define GIB ((size_t)1 << 30)

/* Ends the process as failed unless the condition holds; also says what errno was. */
#define NEED(condition) ((condition) ? (void)0 : victim_give_up(__FILE__, __LINE__, #condition))

/* Ends the process as failed, with a message. */
#define GIVE_UP(...)                                                                                                   \
	do {                                                                                                           \
		victim_fail(__FILE__, __LINE__, __VA_ARGS__);                                                          \
		_exit(victim_end());                                                                                   \
	} while (0)

/* Here the program is checkpointed, killed, restarted. */
static inline void hold(void)
{
	victim_ready();
	victim_wait();
}

/* A path in the folder of this run; malloc'd. */
static inline char *in_dir(const char *name)
{
	char *path;

	NEED(asprintf(&path, "%s/my-%s", victim_dir() ? victim_dir() : "/tmp", name) > 0);
	return path;
}

/* A name in /dev/shm that no other test has: they all have the same process ids, each in a namespace of
 * its own. */
static inline char *in_shm(void)
{
	char *path;
	uint64_t random;

	memcpy(&random, (const void *)getauxval(AT_RANDOM), sizeof(random));
	NEED(asprintf(&path, "/dev/shm/self-check-%016lx", random) > 0);
	return path;
}

static inline uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
	return x ^ (x >> 31);
}

/* Writes content that depends on seed and on the place in memory; size is a multiple of 8. */
static inline void fill(void *memory, size_t size, uint64_t seed)
{
	uint64_t *word = memory;

	for (size_t i = 0; i < size / 8; i++)
		word[i] = mix(seed * 0x100000000 + i);
}

static inline bool filled(const void *memory, size_t size, uint64_t seed)
{
	const uint64_t *word = memory;

	for (size_t i = 0; i < size / 8; i++) {
		if (word[i] != mix(seed * 0x100000000 + i)) {
			fprintf(stderr, "content differs at offset %zu of %zu\n", i * 8, size);
			return false;
		}
	}
	return true;
}

static inline bool all_zero(const void *memory, size_t size)
{
	const unsigned char *byte = memory;

	for (size_t i = 0; i < size; i++) {
		if (byte[i]) {
			fprintf(stderr, "not zero at offset %zu of %zu\n", i, size);
			return false;
		}
	}
	return true;
}

static inline void *map(size_t size, int prot, int flags)
{
	void *memory = mmap(NULL, size, prot, flags | MAP_ANONYMOUS, -1, 0);

	NEED(memory != MAP_FAILED);
	return memory;
}

static inline void *map_private(size_t size)
{
	return map(size, PROT_READ | PROT_WRITE, MAP_PRIVATE);
}

static inline void *map_shared(size_t size)
{
	return map(size, PROT_READ | PROT_WRITE, MAP_SHARED);
}

/* Creates a file of this run with content as of fill(); returns a read-write descriptor. */
static inline int make_file(const char *path, size_t size, uint64_t seed)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	uint64_t *content = malloc(size);

	NEED(fd >= 0);
	fill(content, size, seed);
	NEED(write(fd, content, size) == (ssize_t)size);
	free(content);
	return fd;
}

/* Does the file have content as of fill() from its start? */
static inline bool file_filled(int fd, size_t size, uint64_t seed)
{
	uint64_t *content = malloc(size);
	bool same = pread(fd, content, size, 0) == (ssize_t)size && filled(content, size, seed);

	free(content);
	return same;
}

/* Tells the other processes that wait in step_wait() that this one is there. */
static inline void step(_Atomic unsigned int *counter)
{
	atomic_fetch_add(counter, 1);
}

static inline void step_wait(_Atomic unsigned int *counter, unsigned int n)
{
	for (int ms = 0; ms < 50000; ms++) {
		if (atomic_load(counter) >= n)
			return;
		victim_sleep_ms(1);
	}
	GIVE_UP("another process of the program did not come to step %u", n);
}

/* The kilobytes that /proc/self/smaps gives under key for the mapping that holds address; -1: none. */
static inline long smaps_kb(const void *address, const char *key)
{
	FILE *file = fopen("/proc/self/smaps", "re");
	char line[8192];
	unsigned long start, end;
	bool inside = false;
	long value = -1;

	NEED(file);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = start <= (unsigned long)address && (unsigned long)address < end;
		else if (inside && !strncmp(line, key, strlen(key)) && line[strlen(key)] == ':')
			value = atol(line + strlen(key) + 1);
	}
	fclose(file);
	return value;
}

/* The VmFlags line of the mapping that holds address, in a buffer of the caller. */
static inline void smaps_flags(const void *address, char flags[256])
{
	FILE *file = fopen("/proc/self/smaps", "re");
	char line[8192];
	unsigned long start, end;
	bool inside = false;

	NEED(file);
	flags[0] = '\0';
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = start <= (unsigned long)address && (unsigned long)address < end;
		else if (inside && !strncmp(line, "VmFlags: ", 9))
			snprintf(flags, 256, "%.255s", line + 9);
	}
	fclose(file);
	NEED(flags[0]);
}

/* The line of /proc/self/maps for the mapping that holds address. */
static inline void maps_line(const void *address, char *line, size_t size)
{
	FILE *file = fopen("/proc/self/maps", "re");
	unsigned long start, end;

	NEED(file);
	while (fgets(line, (int)size, file)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2 && start <= (unsigned long)address &&
		    (unsigned long)address < end) {
			fclose(file);
			return;
		}
	}
	GIVE_UP("%p is not mapped", address);
}

/* Reads one byte in a child and says which signal that ended with; 0: none. */
static inline int signal_of_access(volatile char *address, bool write_too)
{
	int status;
	pid_t pid = fork();

	NEED(pid >= 0);
	if (pid == 0) {
		char byte = *address;

		if (write_too)
			*address = byte;
		_exit(0);
	}
	NEED(waitpid(pid, &status, 0) == pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/* How many pages of an area are in memory. */
static inline size_t resident_pages(char *memory, size_t size)
{
	unsigned char resident;
	size_t count = 0;

	for (size_t i = 0; i < size / PAGE; i++) {
		NEED(mincore(memory + i * PAGE, PAGE, &resident) == 0);
		count += resident & 1;
	}
	return count;
}
