/* SPDX-License-Identifier: BSD-3-Clause */
/* inspect.c - what is inside an image: counting, and names for numbers */
#include "image/inspect.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "base/util.h"

const char *const dn_vma_kind_names[DN_VMA_KINDS] = {
	[DN__VMA__KIND__ANON] = "anonymous",	 [DN__VMA__KIND__FILE_PRIVATE] = "file",
	[DN__VMA__KIND__FILE_SHARED] = "shared", [DN__VMA__KIND__HUGETLB] = "hugetlb",
	[DN__VMA__KIND__VDSO] = "vdso",		 [DN__VMA__KIND__VVAR] = "vvar",
};

const char *dn_process_state_name(const Dn__Process *p)
{
	switch (p->state) {
	case DN__PROCESS__STATE__STOPPED: return "stopped";
	case DN__PROCESS__STATE__ZOMBIE: return "zombie";
	default: return "running";
	}
}

const char *dn_object_kind_name(const Dn__Object *o)
{
	switch (o->kind) {
	case DN__OBJECT__KIND__MEMFD: return "memfd";
	case DN__OBJECT__KIND__SHARED: return "shared memory";
	default: return "deleted file";
	}
}

const char *dn_file_access_name(const Dn__File *f)
{
	static const char *const names[] = { "r", "w", "rw", "none" };

	return f->flags & O_PATH ? "path" : names[f->flags & O_ACCMODE];
}

void dn_process_name(const struct dn_image_process *p, char name[17])
{
	size_t n = 0;

	if (p->thread_count) {
		n = DN_MIN(p->threads[0]->comm.len, 16u);
		if (n)
			memcpy(name, p->threads[0]->comm.data, n);
	} else {
		n = DN_MIN(strlen(p->process->comm), 16u);
		memcpy(name, p->process->comm, n);
	}
	name[n] = '\0';
}

void dn_file_describe(const struct dn_image *image, uint32_t id, char *text, size_t size)
{
	const Dn__File *f = dn_image_file(image, id);

	if (!f)
		snprintf(text, size, "none");
	else if (f->path)
		snprintf(text, size, "%s%s", f->path->path,
			 f->path->object ? " (deleted, its content is in the image)" : "");
	else if (f->pipe && *f->pipe->path)
		snprintf(text, size, "%s (FIFO%s)", f->pipe->path, f->pipe->deleted ? ", deleted" : "");
	else if (f->pipe)
		snprintf(text, size, "pipe %u", f->pipe->pipe);
	else if (f->mem) {
		const Dn__Object *o = dn_image_object(image, f->mem->object);
		snprintf(text, size, "%s %u%s%s", dn_object_kind_name(o), o->id, *o->name ? " " : "", o->name);
	} else if (f->timer)
		snprintf(text, size, "timer on clock %d", f->timer->clock);
	else if (f->event)
		snprintf(text, size, "eventfd%s at %llu", f->event->semaphore ? " (semaphore)" : "",
			 (unsigned long long)f->event->count);
	else if (f->signals)
		snprintf(text, size, "signalfd of 0x%llx", (unsigned long long)f->signals->mask);
	else if (f->pidfd && f->pidfd->pid)
		snprintf(text, size, "pidfd of %u", f->pidfd->pid);
	else if (f->pidfd)
		snprintf(text, size, "pidfd of a process that has ended");
	else if (f->pty)
		snprintf(text, size, "%s of pseudo-terminal %u", f->pty->master ? "slave" : "master", f->pty->index);
	else if (f->inet)
		snprintf(text, size, "%s socket%s", f->inet->type == SOCK_STREAM ? "TCP" : "UDP",
			 f->inet->listening ? ", listening" : "");
	else if (f->unix_socket && f->unix_socket->peer)
		snprintf(text, size, "unix socket, connected with file %u", f->unix_socket->peer);
	else if (f->unix_socket)
		snprintf(text, size, "unix socket, %s",
			 f->unix_socket->connected ? "its other end closed" : "not connected");
	else if (f->epoll)
		snprintf(text, size, "epoll of %zu", f->epoll->n_watches);
	else if (f->outside)
		snprintf(text, size, "%s (outside the tree: joined to restart's standard streams)", f->outside->name);
	else if (f->proc)
		snprintf(text, size, "%s (of process %u)", f->proc->path, f->proc->pid);
	else
		snprintf(text, size, "%s", f->driver);
}

static void link_tree(struct dn_summary *s)
{
	const struct dn_image *image = s->image;

	for (size_t i = 1; i < image->process_count; i++) {
		size_t parent =
			(size_t)(dn_contents_process(image, image->processes[i].process->ppid) - image->processes);
		struct dn_process_summary *p = &s->processes[parent];
		s->processes[i].parent = parent;
		if (p->first_child)
			s->processes[p->last_child].next_sibling = i;
		else
			p->first_child = i;
		p->last_child = i;
	}
}

static int summarize(struct dn_summary *s)
{
	const struct dn_image *image = s->image;

	s->processes = calloc(image->process_count + 1, sizeof(*s->processes));
	s->object_pages = calloc(image->object_count + 1, sizeof(*s->object_pages));
	if (!s->processes || !s->object_pages)
		return -ENOMEM;
	for (size_t i = 0; i < image->process_count; i++) {
		const struct dn_image_process *p = &image->processes[i];
		s->threads += p->thread_count;
		s->mappings += p->vma_count;
		s->descriptors += p->process->n_fds;
		for (size_t v = 0; v < p->vma_count; v++) {
			s->processes[i].mapped += p->vmas[v]->end - p->vmas[v]->start;
			s->processes[i].inherited_mappings += p->vmas[v]->inherit;
		}
		s->mapped += s->processes[i].mapped;
	}
	for (size_t i = 0; i < image->chunk_count; i++) {
		const struct dn_page_chunk *c = &image->chunks[i];
		s->pages += c->pages;
		if (c->stage == DN_PAGES_OBJECT) {
			s->object_pages[dn_contents_object_index(image, c->owner)] += c->pages;
			continue;
		}
		struct dn_process_summary *p = &s->processes[dn_contents_process(image, c->owner) - image->processes];
		*(c->stage == DN_PAGES_COMMON ? &p->common : &p->own) += c->pages;
	}
	link_tree(s);
	return 0;
}

int dn_inspect(const char *path, bool json, FILE *out, struct dn_error *err)
{
	struct dn_image *image = NULL;
	int r = dn_image_open(path, &image, err);

	if (r < 0)
		return r;
	struct dn_summary s = { .image = image, .path = path };
	r = summarize(&s);
	if (r < 0)
		dn_error_set(err, r, "cannot show the image %s", path);
	if (r >= 0) {
		r = json ? dn_inspect_json(&s, out) : dn_inspect_text(&s, out);
		if (r < 0)
			dn_error_set(err, r, "cannot write what is in the image %s", path);
	}
	free(s.processes);
	free(s.object_pages);
	dn_image_free(image);
	return r;
}
