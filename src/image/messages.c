/* SPDX-License-Identifier: BSD-3-Clause */
/* messages.c - unpacking the messages of an image and joining them over their records */
#include <errno.h>
#include <malloc.h>

#include "base/util.h"
#include "image/contents.h"

/* An unpacked message takes more memory than a packed one: a descriptor of 8 bytes becomes 100 while it
 * is unpacked.  An image made for it could ask for 200 times its size; no honest one needs more than: */
#define UNPACK_FACTOR 32u
#define UNPACK_BASE (64u << 10)

static void *budget_alloc(void *data, size_t size)
{
	size_t *left = data;

	if (size > *left)
		return NULL;
	void *p = malloc(size);
	if (p)
		*left -= DN_MIN(*left, malloc_usable_size(p));
	return p;
}

static void budget_free(void *data, void *p)
{
	size_t *left = data;

	if (p)
		*left += malloc_usable_size(p);
	free(p);
}

static const ProtobufCMessageDescriptor *descriptor_of(enum dn_record_type type)
{
	switch (type) {
	case DN_RECORD_INFO: return &dn__image_info__descriptor;
	case DN_RECORD_FILES: return &dn__files__descriptor;
	case DN_RECORD_PIPES: return &dn__pipes__descriptor;
	case DN_RECORD_OBJECTS: return &dn__objects__descriptor;
	case DN_RECORD_PROCESS: return &dn__process__descriptor;
	case DN_RECORD_VMAS: return &dn__vmas__descriptor;
	case DN_RECORD_THREADS: return &dn__threads__descriptor;
	default: return NULL;
	}
}

int dn_contents_unpack(struct dn_image *image, enum dn_record_type type, const void *payload, size_t len,
		       struct dn_error *err)
{
	size_t left = UNPACK_BASE + len * UNPACK_FACTOR;
	ProtobufCAllocator allocator = { .alloc = budget_alloc, .free = budget_free, .allocator_data = &left };

	if (dn_grow(&image->kept, &image->kept_cap, image->kept_count, sizeof(*image->kept)) < 0)
		return dn_error_set(err, -ENOMEM, "no memory for the messages of the image");
	ProtobufCMessage *m = protobuf_c_message_unpack(descriptor_of(type), &allocator, len, payload);
	if (!m)
		return dn_error_say(err, -EBADMSG, "its message cannot be understood");
	image->kept[image->kept_count++] = (struct dn_kept_message){ type, m };
	return 0;
}

/* ---- joining ---- */

/* Appends count pointers to an array of pointers. */
static int join(void *array, size_t *ret_count, size_t *cap, void *more, size_t more_count)
{
	void ***p = array;

	for (size_t i = 0; i < more_count; i++) {
		if (dn_grow(p, cap, *ret_count, sizeof(void *)) < 0)
			return -ENOMEM;
		(*p)[(*ret_count)++] = ((void **)more)[i];
	}
	return 0;
}

static int join_message(struct dn_image *image, const struct dn_kept_message *kept)
{
	void *m = kept->message;

	switch (kept->type) {
	case DN_RECORD_INFO: image->info = m; return 0;
	case DN_RECORD_FILES:
		return join(&image->files, &image->file_count, &image->file_cap, ((Dn__Files *)m)->files,
			    ((Dn__Files *)m)->n_files);
	case DN_RECORD_PIPES:
		return join(&image->pipes, &image->pipe_count, &image->pipe_cap, ((Dn__Pipes *)m)->pipes,
			    ((Dn__Pipes *)m)->n_pipes);
	case DN_RECORD_OBJECTS:
		return join(&image->objects, &image->object_count, &image->object_cap, ((Dn__Objects *)m)->objects,
			    ((Dn__Objects *)m)->n_objects);
	case DN_RECORD_PROCESS: {
		int r = dn_grow(&image->processes, &image->process_cap, image->process_count,
				sizeof(*image->processes));
		if (r >= 0)
			image->processes[image->process_count++].process = m;
		return r;
	}
	default: return 0;
	}
}

/* The ids stand first in all of these messages. */
static uint32_t id_of(const void *message)
{
	return *(const uint32_t *)((const char *)message + sizeof(ProtobufCMessage));
}

static_assert(offsetof(Dn__File, id) == sizeof(ProtobufCMessage), "File.id is the first field");
static_assert(offsetof(Dn__Pipe, id) == sizeof(ProtobufCMessage), "Pipe.id is the first field");
static_assert(offsetof(Dn__Object, id) == sizeof(ProtobufCMessage), "Object.id is the first field");

static int by_id(const void *a, const void *b)
{
	uint32_t x = id_of(*(void *const *)a), y = id_of(*(void *const *)b);

	return x < y ? -1 : x > y;
}

static uint32_t pid_of(const struct dn_image_process *p)
{
	return p->process->pid;
}

static int by_pid(const void *a, const void *b)
{
	uint32_t x = pid_of(*(struct dn_image_process *const *)a), y = pid_of(*(struct dn_image_process *const *)b);

	return x < y ? -1 : x > y;
}

static int sort_ids(void *from, size_t count, void *ret, const char *kind, struct dn_error *err)
{
	void **sorted = calloc(count + 1, sizeof(void *));

	if (!sorted)
		return dn_error_set(err, -ENOMEM, "no memory for the messages of the image");
	if (count)
		memcpy(sorted, from, count * sizeof(void *));
	qsort(sorted, count, sizeof(void *), by_id);
	*(void ***)ret = sorted;
	for (size_t i = 0; i < count; i++) {
		if (id_of(sorted[i]) == 0)
			return dn_error_say(err, -EBADMSG, "a %s has no id", kind);
		if (i > 0 && id_of(sorted[i]) == id_of(sorted[i - 1]))
			return dn_error_say(err, -EBADMSG, "two %ss have the id %u", kind, id_of(sorted[i]));
	}
	return 0;
}

static int sort_pids(struct dn_image *image, struct dn_error *err)
{
	struct dn_image_process **sorted = calloc(image->process_count + 1, sizeof(*sorted));

	if (!sorted)
		return dn_error_set(err, -ENOMEM, "no memory for the messages of the image");
	for (size_t i = 0; i < image->process_count; i++)
		sorted[i] = &image->processes[i];
	qsort(sorted, image->process_count, sizeof(*sorted), by_pid);
	image->processes_by_pid = sorted;
	for (size_t i = 1; i < image->process_count; i++)
		if (pid_of(sorted[i]) == pid_of(sorted[i - 1]))
			return dn_error_say(err, -EBADMSG, "two processes have the pid %u", pid_of(sorted[i]));
	return 0;
}

/* Which process does a VMAS or THREADS message belong to, and how much does it add? */
static struct dn_image_process *part_of(const struct dn_image *image, const struct dn_kept_message *kept,
					size_t *ret_count, uint32_t *ret_pid)
{
	if (kept->type == DN_RECORD_VMAS) {
		*ret_pid = ((Dn__Vmas *)kept->message)->pid;
		*ret_count = ((Dn__Vmas *)kept->message)->n_vmas;
	} else {
		*ret_pid = ((Dn__Threads *)kept->message)->pid;
		*ret_count = ((Dn__Threads *)kept->message)->n_threads;
	}
	return dn_contents_process(image, *ret_pid);
}

/* Gives every process the mappings and threads that its records hold: counts, allocates, fills. */
static int join_parts(struct dn_image *image, struct dn_error *err)
{
	size_t count;
	uint32_t pid;

	for (size_t i = 0; i < image->kept_count; i++) {
		const struct dn_kept_message *kept = &image->kept[i];
		if (kept->type != DN_RECORD_VMAS && kept->type != DN_RECORD_THREADS)
			continue;
		struct dn_image_process *p = part_of(image, kept, &count, &pid);
		if (!p)
			return dn_error_say(err, -EBADMSG, "%s of process %u, which the image does not have",
					    kept->type == DN_RECORD_VMAS ? "mappings" : "threads", pid);
		*(kept->type == DN_RECORD_VMAS ? &p->vma_count : &p->thread_count) += count;
	}
	for (size_t i = 0; i < image->process_count; i++) {
		struct dn_image_process *p = &image->processes[i];
		p->vmas = calloc(p->vma_count + 1, sizeof(Dn__Vma *));
		p->threads = calloc(p->thread_count + 1, sizeof(Dn__Thread *));
		if (!p->vmas || !p->threads)
			return dn_error_set(err, -ENOMEM, "no memory for the messages of the image");
		p->vma_count = p->thread_count = 0;
	}
	for (size_t i = 0; i < image->kept_count; i++) {
		const struct dn_kept_message *kept = &image->kept[i];
		if (kept->type != DN_RECORD_VMAS && kept->type != DN_RECORD_THREADS)
			continue;
		struct dn_image_process *p = part_of(image, kept, &count, &pid);
		if (count && kept->type == DN_RECORD_VMAS)
			memcpy(p->vmas + p->vma_count, ((Dn__Vmas *)kept->message)->vmas, count * sizeof(Dn__Vma *));
		else if (count)
			memcpy(p->threads + p->thread_count, ((Dn__Threads *)kept->message)->threads,
			       count * sizeof(Dn__Thread *));
		*(kept->type == DN_RECORD_VMAS ? &p->vma_count : &p->thread_count) += count;
	}
	return 0;
}

int dn_contents_join(struct dn_image *image, struct dn_error *err)
{
	for (size_t i = 0; i < image->kept_count; i++)
		if (join_message(image, &image->kept[i]) < 0)
			return dn_error_set(err, -ENOMEM, "no memory for the messages of the image");
	int r = sort_ids(image->files, image->file_count, &image->files_by_id, "file", err);
	if (r >= 0)
		r = sort_ids(image->pipes, image->pipe_count, &image->pipes_by_id, "pipe", err);
	if (r >= 0)
		r = sort_ids(image->objects, image->object_count, &image->objects_by_id, "object", err);
	if (r >= 0)
		r = sort_pids(image, err);
	if (r >= 0)
		r = join_parts(image, err);
	return r;
}

void dn_contents_finish(struct dn_image *image)
{
	for (size_t i = 0; i < image->process_count; i++) {
		free(image->processes[i].vmas);
		free(image->processes[i].threads);
	}
	for (size_t i = 0; i < image->kept_count; i++)
		protobuf_c_message_free_unpacked(image->kept[i].message, NULL);
	free(image->kept);
	free(image->files);
	free(image->pipes);
	free(image->objects);
	free(image->processes);
	free(image->files_by_id);
	free(image->pipes_by_id);
	free(image->objects_by_id);
	free(image->processes_by_pid);
}

/* ---- look-ups ---- */

/* Where id is in an array sorted by id; count if it is not there. */
static size_t find_index(void *sorted, size_t count, uint32_t id)
{
	void **array = sorted;
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (id_of(array[middle]) < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count && id_of(array[low]) == id ? low : count;
}

static void *find_id(void *sorted, size_t count, uint32_t id)
{
	size_t i = find_index(sorted, count, id);

	return i < count ? ((void **)sorted)[i] : NULL;
}

size_t dn_contents_object_index(const struct dn_image *image, uint32_t id)
{
	return find_index(image->objects_by_id, image->object_count, id);
}

Dn__File *dn_image_file(const struct dn_image *image, uint32_t id)
{
	return find_id(image->files_by_id, image->file_count, id);
}

Dn__Pipe *dn_image_pipe(const struct dn_image *image, uint32_t id)
{
	return find_id(image->pipes_by_id, image->pipe_count, id);
}

Dn__Object *dn_image_object(const struct dn_image *image, uint32_t id)
{
	return find_id(image->objects_by_id, image->object_count, id);
}

struct dn_image_process *dn_contents_process(const struct dn_image *image, uint32_t pid)
{
	size_t low = 0, high = image->process_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (pid_of(image->processes_by_pid[middle]) < pid)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < image->process_count && pid_of(image->processes_by_pid[low]) == pid)
		return image->processes_by_pid[low];
	return NULL;
}

const Dn__ImageInfo *dn_image_info(const struct dn_image *image)
{
	return image->info;
}

Dn__File **dn_image_files(const struct dn_image *image, size_t *ret_count)
{
	*ret_count = image->file_count;
	return image->files;
}

Dn__Pipe **dn_image_pipes(const struct dn_image *image, size_t *ret_count)
{
	*ret_count = image->pipe_count;
	return image->pipes;
}

Dn__Object **dn_image_objects(const struct dn_image *image, size_t *ret_count)
{
	*ret_count = image->object_count;
	return image->objects;
}

struct dn_image_process *dn_image_processes(const struct dn_image *image, size_t *ret_count)
{
	*ret_count = image->process_count;
	return image->processes;
}

const struct dn_page_chunk *dn_image_chunks(const struct dn_image *image, size_t *ret_count)
{
	*ret_count = image->chunk_count;
	return image->chunks;
}

uint64_t dn_image_bytes(const struct dn_image *image)
{
	return image->size;
}
