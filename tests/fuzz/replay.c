/* SPDX-License-Identifier: BSD-3-Clause */
/* replay.c - runs a fuzz target over files, or over all files of folders, without a fuzzer */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include "base/util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *path)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -1;
	if (S_ISDIR(st.st_mode)) {
		DIR *dir = opendir(path);
		int n = 0;
		for (struct dirent *e = dir ? readdir(dir) : NULL; e && n >= 0; e = readdir(dir)) {
			char below[PATH_MAX];
			if (e->d_name[0] == '.')
				continue;
			snprintf(below, sizeof(below), "%s/%s", path, e->d_name);
			int r = replay(below);
			n = r < 0 ? r : n + r;
		}
		if (dir)
			closedir(dir);
		return n;
	}
	_cleanup_free_ unsigned char *data = malloc((size_t)st.st_size + 1);
	if (!data || dn_read_full(fd, data, (size_t)st.st_size) != st.st_size)
		return -1;
	LLVMFuzzerTestOneInput(data, (size_t)st.st_size);
	return 1;
}

int main(int argc, char **argv)
{
	int total = 0;

	for (int i = 1; i < argc; i++) {
		int n = replay(argv[i]);
		if (n <= 0) {
			fprintf(stderr, "%s: nothing there\n", argv[i]);
			return 1;
		}
		total += n;
	}
	printf("%d inputs\n", total);
	return total == 0;
}
