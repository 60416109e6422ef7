/* SPDX-License-Identifier: BSD-3-Clause */
/* inspect_json.c - what is inside an image, for scripts */
#include <fcntl.h>
#include <time.h>

#include "base/json.h"
#include "base/util.h"
#include "image/inspect.h"

static void show_info(struct dn_json *j, const struct dn_summary *s)
{
	const Dn__ImageInfo *info = s->image->info;
	time_t seconds = (time_t)(info->created_ns / 1000000000u);
	struct tm tm;
	char text[40] = "";

	if (gmtime_r(&seconds, &tm))
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	dn_json_object(j, "info");
	dn_json_text(j, "dunlin_version", info->dunlin_version);
	dn_json_text(j, "architecture", info->architecture);
	dn_json_text(j, "kernel", info->kernel);
	dn_json_text(j, "hostname", info->hostname);
	dn_json_text(j, "boot_id", info->boot_id);
	dn_json_text(j, "created", text);
	dn_json_uint(j, "page_size", info->page_size);
	dn_json_uint(j, "xsave_size", info->xsave_size);
	dn_json_hex(j, "xfeatures", info->xfeatures);
	dn_json_uint(j, "root_pid", s->image->processes[0].process->pid);
	dn_json_text(j, "command", info->command);
	dn_json_object_end(j);
}

static void show_totals(struct dn_json *j, const struct dn_summary *s)
{
	dn_json_object(j, "totals");
	dn_json_uint(j, "processes", s->image->process_count);
	dn_json_uint(j, "threads", s->threads);
	dn_json_uint(j, "mappings", s->mappings);
	dn_json_uint(j, "mapped_bytes", s->mapped);
	dn_json_uint(j, "descriptors", s->descriptors);
	dn_json_uint(j, "files", s->image->file_count);
	dn_json_uint(j, "pipes", s->image->pipe_count);
	dn_json_uint(j, "objects", s->image->object_count);
	dn_json_uint(j, "pages", s->pages);
	dn_json_uint(j, "page_bytes", s->pages * DN_PAGE_SIZE);
	dn_json_object_end(j);
}

/* One line each, or the list would be unreadable. */
static void begin_line(struct dn_json *j)
{
	dn_json_object(j, NULL);
	j->flat = true;
}

static void end_line(struct dn_json *j)
{
	dn_json_object_end(j);
	j->flat = false;
}

static void show_threads(struct dn_json *j, const struct dn_image_process *p)
{
	dn_json_array(j, "threads");
	for (size_t i = 0; i < p->thread_count; i++) {
		const Dn__Thread *t = p->threads[i];
		begin_line(j);
		dn_json_uint(j, "tid", t->tid);
		dn_json_text_n(j, "name", t->comm.data, t->comm.len);
		dn_json_uint(j, "pending_signals", t->n_pending);
		if (t->remaining_ns >= 0)
			dn_json_ms(j, "remaining_ms", (uint64_t)t->remaining_ns);
		if (t->scheduling) {
			dn_json_uint(j, "policy", t->scheduling->policy);
			dn_json_int(j, "nice", t->scheduling->nice);
		}
		end_line(j);
	}
	dn_json_array_end(j);
}

static void show_descriptors(struct dn_json *j, const struct dn_image *image, const Dn__Process *p)
{
	char text[4400];

	dn_json_array(j, "descriptors");
	for (size_t i = 0; i < p->n_fds; i++) {
		dn_file_describe(image, p->fds[i]->file, text, sizeof(text));
		begin_line(j);
		dn_json_uint(j, "fd", p->fds[i]->number);
		dn_json_uint(j, "file", p->fds[i]->file);
		dn_json_bool(j, "close_on_exec", p->fds[i]->close_on_exec);
		dn_json_text(j, "what", text);
		end_line(j);
	}
	dn_json_array_end(j);
}

static void show_mappings(struct dn_json *j, const struct dn_image *image, const struct dn_image_process *p)
{
	char text[4400];

	dn_json_array(j, "mappings");
	for (size_t i = 0; i < p->vma_count; i++) {
		const Dn__Vma *v = p->vmas[i];
		const char prot[] = { v->prot & 1 ? 'r' : '-', v->prot & 2 ? 'w' : '-', v->prot & 4 ? 'x' : '-', '\0' };
		begin_line(j);
		dn_json_hex(j, "start", v->start);
		dn_json_hex(j, "end", v->end);
		dn_json_text(j, "protection", prot);
		dn_json_text(j, "kind", dn_vma_kind_names[v->kind]);
		if (v->file) {
			dn_file_describe(image, v->file, text, sizeof(text));
			dn_json_uint(j, "file", v->file);
			dn_json_uint(j, "offset", v->offset);
			dn_json_text(j, "what", text);
		}
		if (*v->name)
			dn_json_text(j, "name", v->name);
		dn_json_hex(j, "flags", v->flags);
		dn_json_bool(j, "inherited", v->inherit);
		end_line(j);
	}
	dn_json_array_end(j);
}

static void show_identity(struct dn_json *j, const struct dn_image_process *p)
{
	const Dn__Credentials *c = p->thread_count ? p->threads[0]->credentials : NULL;

	if (!c)
		return;
	dn_json_uint(j, "uid", c->uids[0]);
	dn_json_uint(j, "euid", c->uids[1]);
	dn_json_uint(j, "gid", c->gids[0]);
	dn_json_uint(j, "egid", c->gids[1]);
}

static void show_process(struct dn_json *j, const struct dn_summary *s, size_t index)
{
	const struct dn_image_process *part = &s->image->processes[index];
	const Dn__Process *p = part->process;
	char text[4400];

	dn_json_object(j, NULL);
	dn_json_uint(j, "pid", p->pid);
	dn_json_uint(j, "ppid", p->ppid);
	dn_json_uint(j, "group", p->pgid);
	dn_json_uint(j, "session", p->sid);
	dn_process_name(part, text);
	dn_json_text(j, "name", text);
	dn_json_text(j, "state", dn_process_state_name(p));
	if (p->state == DN__PROCESS__STATE__STOPPED)
		dn_json_uint(j, "stop_signal", p->stop_signal);
	if (p->state == DN__PROCESS__STATE__ZOMBIE) {
		dn_json_uint(j, "wait_status", p->exit_code);
		dn_json_object_end(j);
		return;
	}
	show_identity(j, part);
	dn_file_describe(s->image, p->mm->exe_file, text, sizeof(text));
	dn_json_text(j, "executable", text);
	dn_file_describe(s->image, p->cwd_file, text, sizeof(text));
	dn_json_text(j, "working_folder", text);
	dn_file_describe(s->image, p->root_file, text, sizeof(text));
	dn_json_text(j, "root_folder", text);
	dn_json_uint(j, "mapped_bytes", s->processes[index].mapped);
	dn_json_uint(j, "pages", s->processes[index].own + s->processes[index].common);
	dn_json_uint(j, "pages_shared_with_children", s->processes[index].common);
	dn_json_uint(j, "inherited_mappings", s->processes[index].inherited_mappings);
	dn_json_uint(j, "pending_signals", p->n_pending);
	dn_json_uint(j, "signal_actions", p->n_actions);
	dn_json_uint(j, "posix_timers", p->n_timers);
	show_threads(j, part);
	show_descriptors(j, s->image, p);
	show_mappings(j, s->image, part);
	dn_json_object_end(j);
}

static void show_files(struct dn_json *j, const struct dn_image *image)
{
	char text[4400];

	dn_json_array(j, "files");
	for (size_t i = 0; i < image->file_count; i++) {
		const Dn__File *f = image->files[i];
		dn_file_describe(image, f->id, text, sizeof(text));
		begin_line(j);
		dn_json_uint(j, "id", f->id);
		dn_json_text(j, "driver", f->driver);
		dn_json_text(j, "what", text);
		if (f->path) {
			dn_json_text(j, "path", f->path->path);
			dn_json_uint(j, "size", f->path->size);
		}
		if (f->path && f->path->object)
			dn_json_uint(j, "object", f->path->object);
		if (f->mem)
			dn_json_uint(j, "object", f->mem->object);
		if (f->pipe)
			dn_json_uint(j, "pipe", f->pipe->pipe);
		dn_json_text(j, "access", dn_file_access_name(f));
		dn_json_uint(j, "flags", f->flags);
		dn_json_int(j, "position", f->position);
		dn_json_uint(j, "locks", f->n_locks);
		end_line(j);
	}
	dn_json_array_end(j);
}

static void show_pipes_and_objects(struct dn_json *j, const struct dn_summary *s)
{
	dn_json_array(j, "pipes");
	for (size_t i = 0; i < s->image->pipe_count; i++) {
		const Dn__Pipe *p = s->image->pipes[i];
		uint64_t bytes = 0;
		for (size_t k = 0; k < p->n_packets; k++)
			bytes += p->packets[k].len;
		begin_line(j);
		dn_json_uint(j, "id", p->id);
		dn_json_uint(j, "capacity", p->capacity);
		dn_json_bool(j, "packets", p->packet_mode);
		dn_json_uint(j, "bytes", bytes);
		end_line(j);
	}
	dn_json_array_end(j);
	dn_json_array(j, "objects");
	for (size_t i = 0; i < s->image->object_count; i++) {
		const Dn__Object *o = s->image->objects_by_id[i];
		begin_line(j);
		dn_json_uint(j, "id", o->id);
		dn_json_text(j, "kind", dn_object_kind_name(o));
		dn_json_text(j, "name", o->name);
		dn_json_uint(j, "size", o->size);
		dn_json_uint(j, "pages", s->object_pages[i]);
		end_line(j);
	}
	dn_json_array_end(j);
}

int dn_inspect_json(const struct dn_summary *s, FILE *out)
{
	struct dn_json j = DN_JSON_INIT(out);

	dn_json_object(&j, NULL);
	dn_json_text(&j, "image", s->path);
	dn_json_uint(&j, "format", s->image->version);
	dn_json_uint(&j, "bytes", s->image->size);
	show_info(&j, s);
	show_totals(&j, s);
	dn_json_array(&j, "processes");
	for (size_t i = 0; i < s->image->process_count; i++)
		show_process(&j, s, i);
	dn_json_array_end(&j);
	show_files(&j, s->image);
	show_pipes_and_objects(&j, s);
	dn_json_object_end(&j);
	return dn_json_finish(&j);
}
