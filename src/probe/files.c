/* SPDX-License-Identifier: BSD-3-Clause */
/* files.c - probes: files without names, files of other processes */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "base/kernel.h"
#include "base/util.h"
#include "probe/probe.h"

static int probe_memfd(char *detail)
{
	_cleanup_fd_ int fd =
		(int)syscall(SYS_memfd_create, "dunlin-probe", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);

	if (fd < 0 && errno == EINVAL) /* before 6.3 they all could be executed */
		fd = (int)syscall(SYS_memfd_create, "dunlin-probe", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || ftruncate(fd, DN_PAGE_SIZE) < 0)
		return dn_probe_no(detail, errno, "memfd_create");
	if (pwrite(fd, "\xc3", 1, 0) != 1) /* ret */
		return dn_probe_no(detail, errno, "write to a memfd");
	void *code = mmap(NULL, DN_PAGE_SIZE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	if (code == MAP_FAILED)
		return dn_probe_no(detail, errno, "executable mapping of a memfd");
	((void (*)(void))code)();
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) < 0 || ftruncate(fd, 0) == 0)
		return dn_probe_no(detail, errno, "seals of a memfd");
	return 0;
}

static int probe_map_files(char *detail)
{
	char path[96];
	DIR *d = opendir("/proc/self/map_files");

	if (!d)
		return dn_probe_no(detail, errno, "/proc/PID/map_files");
	for (struct dirent *e; (e = readdir(d));) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/self/map_files/%.64s", e->d_name);
		_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);
		int r = fd < 0 ? dn_probe_no(detail, errno, "opening through /proc/PID/map_files") : 0;
		closedir(d);
		return r;
	}
	closedir(d);
	return dn_probe_no(detail, ENOENT, "/proc/PID/map_files is empty");
}

static const char *temporary_folder(void)
{
	const char *dir = getenv("TMPDIR");

	return dir && *dir ? dir : "/var/tmp"; /* as image/spool.c has it */
}

static int probe_tmpfile(char *detail)
{
	const char *dir = temporary_folder();
	_cleanup_fd_ int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	return fd < 0 ? dn_probe_no(detail, errno, "O_TMPFILE in %s", dir) : 0;
}

static int probe_handle(char *detail)
{
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} h = { .handle.handle_bytes = MAX_HANDLE_SZ };
	const char *dir = temporary_folder();
	_cleanup_fd_ int at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int mount;

	if (at < 0 || name_to_handle_at(at, "", &h.handle, &mount, AT_EMPTY_PATH) < 0)
		return dn_probe_no(detail, errno, "name_to_handle_at on %s", dir);
	_cleanup_fd_ int fd = open_by_handle_at(at, &h.handle, O_PATH | O_CLOEXEC);
	return fd < 0 ? dn_probe_no(detail, errno, "open_by_handle_at on %s", dir) : 0;
}

static int probe_close_range(char *detail)
{
	int fd = fcntl(0, F_DUPFD_CLOEXEC, 700);

	if (fd < 0)
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (syscall(SYS_close_range, (unsigned int)fd, ~0U, 0) < 0)
		return dn_probe_no(detail, errno, "close_range");
	return fcntl(fd, F_GETFD) < 0 ? 0 : dn_probe_no(detail, EIO, "close_range left a descriptor open");
}

static int probe_tee(char *detail)
{
	int from[2], to[2];
	char a[4] = "", b[4] = "";

	if (pipe2(from, O_CLOEXEC) < 0 || pipe2(to, O_CLOEXEC) < 0 || write(from[1], "abc", 3) != 3)
		return dn_probe_no(detail, errno, "pipe2");
	if (tee(from[0], to[1], 65536, SPLICE_F_NONBLOCK) != 3)
		return dn_probe_no(detail, errno, "tee");
	if (read(from[0], a, 3) != 3 || read(to[0], b, 3) != 3 || strcmp(a, b) || strcmp(a, "abc"))
		return dn_probe_no(detail, EIO, "tee took from the pipe");
	return 0;
}

const struct dn_probe dn_probes_files[] = {
	{ "memfd", "the memory that dunlin shares with a held process",
	  "sysctl vm.memfd_noexec=0 (or 1), where it is 2", true, probe_memfd },
	{ "map_files", "mapped files that were deleted", "run as root, or with CAP_CHECKPOINT_RESTORE", false,
	  probe_map_files },
	{ "file handles", "finding deleted files by other names", "run as root", false, probe_handle },
	{ "O_TMPFILE", "deleted files at restart, images from a pipe", "set TMPDIR to a folder on another file system",
	  false, probe_tmpfile },
	{ "close_range", "closing what a restarted process does not have", "a kernel from 5.9 on", true,
	  probe_close_range },
	{ "tee", "data in pipes is copied and stays where it is", "none", true, probe_tee },
	{},
};
