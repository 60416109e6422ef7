/* SPDX-License-Identifier: BSD-3-Clause */
/* fuzz_image.c - the readers of images on whatever a fuzzer thinks of
 *
 * Opens the image, reads its pages and shows it.  Nothing may crash, and what is
 * accepted must keep the promises of image.h.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "assemble.h"
#include "base/util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
	unsigned char *buf;
	int fd;
	char path[32];
	struct dn_page_buffer pages;
	FILE *null;
} f;

static void init(void)
{
	f.buf = aligned_alloc(DN_BLOCK, ASSEMBLE_MAX);
	f.fd = memfd_create("image", MFD_CLOEXEC);
	f.null = fopen("/dev/null", "we");
	snprintf(f.path, sizeof(f.path), "/proc/self/fd/%d", f.fd);
	if (!f.buf || f.fd < 0 || !f.null || dn_page_buffer_init(&f.pages, NULL) < 0)
		abort();
}

static void demand(bool promise)
{
	if (!promise)
		abort();
}

static void read_pages(struct dn_image *image)
{
	struct dn_error err = {};
	size_t count;
	const struct dn_page_chunk *chunks = dn_image_chunks(image, &count);

	for (size_t i = 0; i < count; i++) {
		int r = dn_image_read_pages(image, &chunks[i], &f.pages, &err);
		demand(r == 0 || (r < 0 && err.text[0]));
		if (r < 0)
			continue;
		uint64_t pages = 0;
		for (unsigned int k = 0; k < f.pages.run_count; k++)
			pages += f.pages.runs[k].pages;
		demand(f.pages.run_count > 0 && f.pages.run_count <= DN_CHUNK_PAGES);
		demand(f.pages.page_count <= DN_CHUNK_PAGES && pages == f.pages.page_count);
	}
}

static void check_promises(struct dn_image *image)
{
	size_t count;
	const struct dn_image_process *p = dn_image_processes(image, &count);

	demand(count > 0 && p[0].process->ppid == 0);
	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < p[i].process->n_fds; k++)
			demand(dn_image_file(image, p[i].process->fds[k]->file) != NULL);
		for (size_t k = 1; k < p[i].vma_count; k++)
			demand(p[i].vmas[k]->start >= p[i].vmas[k - 1]->end);
		if (p[i].process->state != DN__PROCESS__STATE__ZOMBIE)
			demand(p[i].process->mm && p[i].thread_count && p[i].threads[0]->tid == p[i].process->pid);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dn_image *image = NULL;
	struct dn_error err = {};

	if (!f.buf)
		init();
	size_t built = assemble(data, size, f.buf);
	if (!built || ftruncate(f.fd, 0) < 0 || dn_pwrite_full(f.fd, f.buf, built, 0) < 0)
		return 0;
	int r = dn_image_open(f.path, &image, &err);
	demand(r == 0 || (r < 0 && err.text[0]));
	if (r < 0)
		return 0;
	check_promises(image);
	read_pages(image);
	dn_image_free(image);
	/* In one form or the other: each opens the image once more. */
	demand(dn_inspect(f.path, size % 2, f.null, &err) == 0);
	return 0;
}
