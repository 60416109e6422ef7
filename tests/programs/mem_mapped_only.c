/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_mapped_only.c - memfds and deleted files that are mapped, and open nowhere: privately only, in pieces
 * out of order, beyond the end, and as little of a large sparse one
 */
#include "state.h"

#define SPARSE (2 * GIB)

static int memfd(size_t pages, uint64_t seed)
{
	int fd = memfd_create("mapped", MFD_CLOEXEC);

	NEED(fd >= 0 && ftruncate(fd, (off_t)(pages * PAGE)) == 0);
	char *memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	NEED(memory != MAP_FAILED);
	for (size_t i = 0; i < pages; i++)
		fill(memory + i * PAGE, PAGE, seed + i);
	NEED(munmap(memory, pages * PAGE) == 0);
	return fd;
}

static char *map_file(int fd, size_t from, size_t pages, int prot, int flags)
{
	char *memory = mmap(NULL, pages * PAGE, prot, flags, fd, (off_t)(from * PAGE));

	NEED(memory != MAP_FAILED);
	return memory;
}

static bool pages_filled(const char *memory, size_t pages, uint64_t seed)
{
	for (size_t i = 0; i < pages; i++)
		if (!filled(memory + i * PAGE, PAGE, seed + i))
			return false;
	return true;
}

int main(void)
{
	char *path = in_dir("file");
	int fd = memfd(8, 100), deleted = make_file(path, 8 * PAGE, 1), pieces = memfd(8, 200), beyond = memfd(2, 300),
	    sparse = memfd(1, 400);

	NEED(unlink(path) == 0 && ftruncate(sparse, SPARSE) == 0);
	char *code = map_file(fd, 0, 8, PROT_READ | PROT_EXEC, MAP_PRIVATE);
	char *data = map_file(fd, 0, 8, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	char *file = map_file(deleted, 0, 8, PROT_READ, MAP_PRIVATE);
	char *second = map_file(pieces, 4, 4, PROT_READ | PROT_WRITE, MAP_SHARED);
	char *first = map_file(pieces, 0, 6, PROT_NONE, MAP_SHARED);
	char *more = map_file(beyond, 0, 4, PROT_READ, MAP_SHARED);
	char *large = map_file(sparse, 0, SPARSE / PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);

	close(fd);
	close(deleted);
	close(pieces);
	close(beyond);
	close(sparse);
	fill(data + PAGE, PAGE, 1);
	fill(large + SPARSE / 2, PAGE, 2);

	hold();

	check(pages_filled(code, 8, 100), "code");
	check(pages_filled(data, 1, 100) && filled(data + PAGE, PAGE, 1) && pages_filled(data + 2 * PAGE, 6, 102),
	      "data");
	check(filled(file, 8 * PAGE, 1), "a deleted file");
	NEED(mprotect(first, 6 * PAGE, PROT_READ) == 0);
	check(pages_filled(first, 6, 200) && pages_filled(second, 4, 204), "pieces");
	fill(second, PAGE, 3);
	check(filled(first + 4 * PAGE, PAGE, 3), "pieces are not of one file any more");
	check(pages_filled(more, 2, 300), "before the end");
	check(signal_of_access(more + 2 * PAGE, false) == SIGBUS, "beyond the end there is something");
	check(resident_pages(large, 64 * MIB) == 1, "a sparse file has got pages");
	check(filled(large, PAGE, 400) && filled(large + SPARSE / 2, PAGE, 2), "a sparse file");
	return victim_end();
}
