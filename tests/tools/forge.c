/* SPDX-License-Identifier: BSD-3-Clause */
/* forge.c - an image in which something is different, with all checksums right
 *
 *	forge SEED CHANGES FROM TO
 *
 * Fields of its messages, chosen by SEED, get values that somebody might try: extreme numbers, ids of something
 * else, strange paths, lengths.  Prints what was changed.  See tests/behaviour/forged.sh.
 */
#include <inttypes.h>

#include "base/util.h"
#include "image/format.h"
#include "image/image.h"

#define SLOTS_MAX 100000

/* A field of a message. */
struct slot {
	ProtobufCMessage *message;
	const ProtobufCFieldDescriptor *field;
};

static struct slot slots[SLOTS_MAX];
static size_t slot_count;

static void die(const char *what)
{
	fprintf(stderr, "forge: %s\n", what);
	exit(1);
}

static uint64_t any(uint64_t below)
{
	return (uint64_t)lrand48() % below;
}

static void collect(ProtobufCMessage *m)
{
	const ProtobufCMessageDescriptor *d = m->descriptor;

	for (unsigned int i = 0; i < d->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &d->fields[i];
		char *at = (char *)m + f->offset;
		if (slot_count < SLOTS_MAX)
			slots[slot_count++] = (struct slot){ m, f };
		if (f->type != PROTOBUF_C_TYPE_MESSAGE)
			continue;
		if (f->label == PROTOBUF_C_LABEL_REPEATED) {
			size_t n = *(size_t *)((char *)m + f->quantifier_offset);
			for (size_t k = 0; k < n; k++)
				collect((*(ProtobufCMessage ***)at)[k]);
		} else if (*(ProtobufCMessage **)at) {
			collect(*(ProtobufCMessage **)at);
		}
	}
}

static uint64_t strange_number(uint64_t now)
{
	static const uint64_t known[] = { 0,
					  1,
					  2,
					  3,
					  63,
					  64,
					  65,
					  255,
					  4095,
					  4096,
					  65535,
					  1u << 20,
					  1u << 22,
					  INT32_MAX,
					  1u << 31,
					  UINT32_MAX,
					  1ull << 32,
					  1ull << 46,
					  (1ull << 47) - 4096,
					  1ull << 47,
					  INT64_MAX,
					  1ull << 63,
					  UINT64_MAX,
					  UINT64_MAX - 4095 };

	switch (any(5)) {
	case 0: return now + 1;
	case 1: return now - 1;
	case 2: return now ^ 1ull << any(64);
	case 3: return any(2) ? now + 4096 : now - 4096;
	default: return known[any(DN_ARRAY_LEN(known))];
	}
}

static const char *strange_text(const char *now)
{
	static const char *const known[] = { "",
					     "/",
					     "..",
					     "/..",
					     "/../../etc/passwd",
					     "relative",
					     "/etc/passwd",
					     "/proc/self/mem",
					     "/proc/1/root/etc",
					     "/dev/null",
					     "/dev/full",
					     "/tmp",
					     "/nowhere/at/all",
					     "%s%n",
					     "\n",
					     "regular",
					     "pipe",
					     "memfd",
					     "proc",
					     "device",
					     "timerfd",
					     "fifo",
					     "outside" };
	static char long_text[5000];

	if (any(8) == 0) {
		memset(long_text, 'a', sizeof(long_text) - 1);
		long_text[0] = '/';
		return long_text;
	}
	return known[any(DN_ARRAY_LEN(known))];
}

static void change_value(const ProtobufCFieldDescriptor *f, char *at)
{
	ProtobufCBinaryData *bytes = (void *)at;

	switch (f->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_ENUM: *(uint32_t *)at = (uint32_t)strange_number(*(uint32_t *)at); break;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64: *(uint64_t *)at = strange_number(*(uint64_t *)at); break;
	case PROTOBUF_C_TYPE_BOOL: *(protobuf_c_boolean *)at = !*(protobuf_c_boolean *)at; break;
	case PROTOBUF_C_TYPE_STRING: *(const char **)at = strange_text(*(const char **)at); break;
	case PROTOBUF_C_TYPE_BYTES:
		if (bytes->len && any(2)) {
			bytes->data[any(bytes->len)] ^= (uint8_t)(1u << any(8));
		} else {
			size_t len = any(2) ? any(64) : any(70000);
			uint8_t *data = calloc(1, len + 1);
			if (data && bytes->len)
				memcpy(data, bytes->data, DN_MIN(len, bytes->len));
			*bytes = (ProtobufCBinaryData){ data ? len : 0, data };
		}
		break;
	default: break;
	}
}

static size_t size_of(const ProtobufCFieldDescriptor *f)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64: return 8;
	case PROTOBUF_C_TYPE_BOOL: return sizeof(protobuf_c_boolean);
	case PROTOBUF_C_TYPE_BYTES: return sizeof(ProtobufCBinaryData);
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE: return sizeof(void *);
	default: return 4;
	}
}

/* One element more (a copy of another) or less, or one that is changed. */
static void change_list(const struct slot *s)
{
	char **list = (char **)((char *)s->message + s->field->offset);
	size_t *n = (size_t *)((char *)s->message + s->field->quantifier_offset), size = size_of(s->field);
	size_t which = *n ? any(*n) : 0;

	if (*n && any(3) == 0 && s->field->type != PROTOBUF_C_TYPE_MESSAGE) {
		change_value(s->field, *list + which * size);
	} else if (*n && any(2)) {
		memmove(*list + which * size, *list + (which + 1) * size, (*n - which - 1) * size);
		(*n)--;
	} else if (*n) {
		size_t more = any(20) ? 1 : 2000;
		char *larger = calloc(*n + more, size);
		if (!larger)
			die("no memory");
		memcpy(larger, *list, *n * size);
		for (size_t i = 0; i < more; i++)
			memcpy(larger + (*n + i) * size, *list + which * size, size);
		*list = larger;
		*n += more;
	}
}

static void change(void)
{
	const struct slot *s = &slots[any(slot_count)];

	printf("%s.%s\n", s->message->descriptor->short_name, s->field->name);
	if (s->field->label == PROTOBUF_C_LABEL_REPEATED)
		change_list(s);
	else if (s->field->type == PROTOBUF_C_TYPE_MESSAGE)
		*(void **)((char *)s->message + s->field->offset) = NULL;
	else
		change_value(s->field, (char *)s->message + s->field->offset);
}

/* ---- the image ---- */

static void put(struct dn_image_writer *w, enum dn_record_type type, const ProtobufCMessage *m)
{
	struct dn_error err = {};

	if (dn_image_write_message(w, type, m, &err) < 0)
		die(err.text);
}

/* Read while the image still makes sense. */
static struct dn_page_buffer *read_pages(struct dn_image *image, size_t *ret_count)
{
	struct dn_error err = {};
	const struct dn_page_chunk *chunks = dn_image_chunks(image, ret_count);
	struct dn_page_buffer *b = calloc(*ret_count + 1, sizeof(*b));

	for (size_t i = 0; b && i < *ret_count; i++)
		if (dn_page_buffer_init(&b[i], &err) < 0 || dn_image_read_pages(image, &chunks[i], &b[i], &err) < 0)
			die(err.text);
	return b ? b : (die("no memory"), NULL);
}

static void put_pages(struct dn_image *image, struct dn_image_writer *w, struct dn_page_buffer *b)
{
	struct dn_error err = {};
	size_t n;
	const struct dn_page_chunk *chunks = dn_image_chunks(image, &n);

	for (size_t i = 0; i < n; i++)
		if (dn_image_write_pages(w, chunks[i].stage, chunks[i].owner, &b[i], &err) < 0)
			die(err.text);
}

int main(int argc, char **argv)
{
	struct dn_error err = {};
	struct dn_image *image = NULL;
	struct dn_image_writer *w = NULL;
	Dn__Files files = DN__FILES__INIT;
	Dn__Pipes pipes = DN__PIPES__INIT;
	Dn__Objects objects = DN__OBJECTS__INIT;
	size_t n, page_count;

	if (argc != 5)
		die("usage: forge SEED CHANGES FROM TO");
	srand48(atol(argv[1]));
	if (dn_image_open(argv[3], &image, &err) < 0 || dn_image_writer_new(argv[4], &w, &err) < 0)
		die(err.text);
	struct dn_page_buffer *pages = read_pages(image, &page_count);
	struct dn_image_process *p = dn_image_processes(image, &n);
	Dn__Vmas *vmas = calloc(n, sizeof(*vmas));
	Dn__Threads *threads = calloc(n, sizeof(*threads));
	if (!vmas || !threads)
		die("no memory");
	files.files = dn_image_files(image, &files.n_files);
	pipes.pipes = dn_image_pipes(image, &pipes.n_pipes);
	objects.objects = dn_image_objects(image, &objects.n_objects);
	collect(&files.base);
	collect(&pipes.base);
	collect(&objects.base);
	for (size_t i = 0; i < n; i++) {
		vmas[i] = (Dn__Vmas)DN__VMAS__INIT;
		threads[i] = (Dn__Threads)DN__THREADS__INIT;
		vmas[i].pid = threads[i].pid = p[i].process->pid;
		vmas[i].vmas = p[i].vmas;
		vmas[i].n_vmas = p[i].vma_count;
		threads[i].threads = p[i].threads;
		threads[i].n_threads = p[i].thread_count;
		/* Mappings are many: the others count twice. */
		collect(&p[i].process->base);
		collect(&p[i].process->base);
		collect(&threads[i].base);
		collect(&threads[i].base);
		collect(&vmas[i].base);
	}
	Dn__ImageInfo info = *dn_image_info(image);
	collect(&info.base);
	for (long changes = atol(argv[2]); changes > 0; changes--)
		change();
	put(w, DN_RECORD_INFO, &info.base);
	put(w, DN_RECORD_FILES, &files.base);
	put(w, DN_RECORD_PIPES, &pipes.base);
	put(w, DN_RECORD_OBJECTS, &objects.base);
	for (size_t i = 0; i < n; i++) {
		put(w, DN_RECORD_PROCESS, &p[i].process->base);
		put(w, DN_RECORD_VMAS, &vmas[i].base);
		put(w, DN_RECORD_THREADS, &threads[i].base);
	}
	put_pages(image, w, pages);
	if (dn_image_commit(w, &err) < 0)
		die(err.text);
	return 0;
}
