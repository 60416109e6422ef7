/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_memfd_sealed.c - seals against writing on memory files that are mapped */
#include "state.h"

#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x20 /* Linux 6.3 */
#endif

int main(void)
{
	int future = memfd_create("future", MFD_ALLOW_SEALING), never = memfd_create("never", MFD_ALLOW_SEALING);
	char *writable, *later;

	NEED(future >= 0 && never >= 0 && ftruncate(future, 8 * PAGE) == 0 && ftruncate(never, 8 * PAGE) == 0);
	/* From now on no new writable mapping: but the old one stays so. */
	writable = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, future, 0);
	NEED(writable != MAP_FAILED);
	fill(writable, 8 * PAGE, 3);
	NEED(fcntl(future, F_ADD_SEALS, F_SEAL_FUTURE_WRITE) == 0);
	/* Mapped after it was sealed, which Linux allows for shared mappings since 6.7. */
	NEED(pwrite(never, writable, 8 * PAGE, 0) == 8 * PAGE);
	NEED(fcntl(never, F_ADD_SEALS, F_SEAL_WRITE) == 0);
	later = mmap(NULL, 8 * PAGE, PROT_READ, MAP_SHARED, never, 0);
	if (later == MAP_FAILED)
		later = mmap(NULL, 8 * PAGE, PROT_READ, MAP_PRIVATE, never, 0);
	NEED(later != MAP_FAILED);

	hold();

	NEED(filled(writable, 8 * PAGE, 3));
	fill(writable, 8 * PAGE, 4);
	NEED((fcntl(future, F_GET_SEALS) & ~F_SEAL_EXEC) == F_SEAL_FUTURE_WRITE);
	NEED(pwrite(future, "x", 1, 0) == -1 && errno == EPERM);
	NEED(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, future, 0) == MAP_FAILED && errno == EPERM);
	NEED(filled(later, 8 * PAGE, 3));
	NEED((fcntl(never, F_GET_SEALS) & ~F_SEAL_EXEC) == F_SEAL_WRITE);
	NEED(pwrite(never, "x", 1, 0) == -1 && errno == EPERM);
	return victim_end();
}
