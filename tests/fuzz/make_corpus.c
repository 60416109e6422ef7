/* SPDX-License-Identifier: BSD-3-Clause */
/* make_corpus.c - writes the seeds of the image fuzzer into a folder
 *
 *	make_corpus FOLDER
 *
 * Run it again when the format or the messages change; the seeds are stored in tests/fuzz/corpus.
 */
#include <fcntl.h>
#include <unistd.h>

#include "assemble.h"
#include "base/util.h"
#include "image_sample.h"

static const char *folder;

static void die(const char *what)
{
	fprintf(stderr, "make_corpus: %s\n", what);
	exit(1);
}

static void save(const char *name, char form, const void *data, size_t size)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *f = fopen(path, "we");
	if (!f || fputc(form, f) == EOF || fwrite(data, 1, size, f) != size || fclose(f) != 0)
		die(path);
}

static unsigned char *read_image(const char *path, size_t *ret_size)
{
	static unsigned char buf[ASSEMBLE_MAX];
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : dn_read_full(fd, buf, sizeof(buf));

	if (n <= 0)
		die("cannot read what was written");
	*ret_size = (size_t)n;
	return buf;
}

/* The image at path as a seed of form A: its records without what the harness makes anew. */
static void save_assembled(const char *name, const char *path)
{
	static unsigned char seed[ASSEMBLE_MAX];
	size_t size, used = 0;
	unsigned char *image = read_image(path, &size);

	for (size_t at = DN_BLOCK; at < size;) {
		const struct dn_record_header *h = (const struct dn_record_header *)(image + at);
		at += dn_record_size(h->length);
		if (h->type == DN_RECORD_INDEX || h->type == DN_RECORD_COMMIT)
			continue;
		bool pages = h->type == DN_RECORD_PAGES;
		size_t payload = pages ? h->runs * sizeof(struct dn_run) : h->length;
		struct assemble_record r = {
			.type = (uint8_t)h->type,
			.stage = (uint8_t)h->stage,
			.owner = h->owner,
			.runs = (uint16_t)h->runs,
			.pages = (uint16_t)h->pages,
			.length = pages ? 0 : (uint16_t)h->length,
		};
		memcpy(seed + used, &r, sizeof(r));
		memcpy(seed + used + sizeof(r), h + 1, payload);
		used += sizeof(r) + payload;
	}
	save(name, 'A', seed, used);
}

static void write_image(const struct sample *s, bool pages, const char *path)
{
	struct dn_image_writer *w = NULL;
	struct dn_page_buffer b = {};
	struct dn_error err = {};

	if (pages) {
		if (sample_write(s, path, &err) < 0)
			die(err.text);
		return;
	}
	if (dn_image_writer_new(path, &w, &err) < 0 || dn_page_buffer_init(&b, &err) < 0 ||
	    sample_write_messages(s, w, &err) < 0)
		die(err.text);
	b.page_count = b.run_count = 1;
	b.runs[0] = (struct dn_run){ SAMPLE_ADDR, 1 };
	if (dn_image_write_pages(w, DN_PAGES_OWN, 100, &b, &err) < 0 || dn_image_commit(w, &err) < 0)
		die(err.text);
	dn_page_buffer_finish(&b);
	dn_image_writer_free(w);
}

/* The least that is an image: one process, one thread, one file, one mapping, one page. */
static void make_small(struct sample *s)
{
	s->info.processes = 0;
	s->files.n_files = s->threads[0].n_threads = s->vmas[0].n_vmas = 1;
	s->process[0].n_fds = s->process[0].n_limits = s->process[0].n_actions = 0;
	s->process[0].n_timers = s->process[0].n_pending = 0;
	s->process[0].cwd_file = s->process[0].root_file = 1;
}

static void save_small(const struct sample *s, const char *path)
{
	struct dn_image_writer *w = NULL;
	struct dn_page_buffer b = {};
	struct dn_error err = {};
	size_t size;

	if (dn_image_writer_new(path, &w, &err) < 0 || dn_page_buffer_init(&b, &err) < 0 ||
	    dn_image_write_message(w, DN_RECORD_INFO, &s->info.base, &err) < 0 ||
	    dn_image_write_message(w, DN_RECORD_FILES, &s->files.base, &err) < 0 ||
	    dn_image_write_message(w, DN_RECORD_PROCESS, &s->process[0].base, &err) < 0 ||
	    dn_image_write_message(w, DN_RECORD_VMAS, &s->vmas[0].base, &err) < 0 ||
	    dn_image_write_message(w, DN_RECORD_THREADS, &s->threads[0].base, &err) < 0)
		die(err.text);
	b.page_count = b.run_count = 1;
	b.runs[0] = (struct dn_run){ SAMPLE_ADDR, 1 };
	if (dn_image_write_pages(w, DN_PAGES_OWN, 100, &b, &err) < 0 || dn_image_commit(w, &err) < 0)
		die(err.text);
	dn_page_buffer_finish(&b);
	dn_image_writer_free(w);
	save_assembled("small", path);
	unsigned char *image = read_image(path, &size);
	save("small-raw", 'R', image, size);
}

int main(int argc, char **argv)
{
	static struct sample s;
	char path[4096];

	if (argc != 2)
		die("usage: make_corpus FOLDER");
	folder = argv[1];
	snprintf(path, sizeof(path), "%s/image.tmp", folder);
	sample_init(&s);
	write_image(&s, false, path);
	save_assembled("all", path);
	write_image(&s, true, path);
	save_assembled("pages", path);
	make_small(&s);
	save_small(&s, path);
	unlink(path);
	return 0;
}
