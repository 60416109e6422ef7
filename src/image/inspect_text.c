/* SPDX-License-Identifier: BSD-3-Clause */
/* inspect_text.c - what is inside an image, for people */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "base/util.h"
#include "image/inspect.h"

#define THREADS_SHOWN 16u
#define TREE_DEPTH 40 /* deeper levels are not indented further */

/* Names come from the image: control characters must not reach the terminal. */
static void print_text(FILE *out, const char *text)
{
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		bool c1 = p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0;
		if (*p == '\n')
			fputs("\\n", out);
		else if (*p == '\t')
			fputs("\\t", out);
		else if (*p == '\\')
			fputs("\\\\", out);
		else if (*p < 0x20 || *p == 0x7f || c1)
			fprintf(out, "\\x%02x", *p);
		else
			fputc(*p, out);
	}
}

struct size_text {
	char text[32];
};

static struct size_text size_text(uint64_t bytes)
{
	static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	struct size_text t;
	double value = (double)bytes;
	size_t unit = 0;

	for (; value >= 1023.95 && unit + 1 < DN_ARRAY_LEN(units); unit++)
		value /= 1024;
	snprintf(t.text, sizeof(t.text), "%.*f %s", unit ? 1 : 0, value, units[unit]);
	return t;
}

#define SIZE(bytes) size_text(bytes).text
#define PLURAL(n) ((n) == 1 ? "" : "s")

static void show_head(const struct dn_summary *s, FILE *out)
{
	const struct dn_image *image = s->image;
	const Dn__ImageInfo *info = image->info;
	time_t seconds = (time_t)(info->created_ns / 1000000000u);
	struct tm tm;
	char text[40] = "";

	if (localtime_r(&seconds, &tm))
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %z", &tm);
	fprintf(out, "image      ");
	print_text(out, strcmp(s->path, "-") == 0 ? "standard input" : s->path);
	fprintf(out, ": %s, format %u, complete\n", SIZE(image->size), image->version);
	fprintf(out, "made       %s on ", text);
	print_text(out, info->hostname);
	fprintf(out, " (");
	print_text(out, info->architecture);
	fprintf(out, ", kernel ");
	print_text(out, info->kernel);
	fprintf(out, ") by dunlin ");
	print_text(out, info->dunlin_version);
	fprintf(out, "\nprogram    ");
	print_text(out, info->command);
	size_t n = image->process_count;
	fprintf(out, "\ncontains   %zu process%s, %zu thread%s, %zu mapping%s of %s, %zu descriptor%s\n", n,
		n == 1 ? "" : "es", s->threads, PLURAL(s->threads), s->mappings, PLURAL(s->mappings), SIZE(s->mapped),
		s->descriptors, PLURAL(s->descriptors));
	fprintf(out, "stored     %" PRIu64 " page%s, %s\n", s->pages, PLURAL(s->pages), SIZE(s->pages * DN_PAGE_SIZE));
}

static void print_end(FILE *out, uint32_t status)
{
	if (WIFSIGNALED(status))
		fprintf(out, "zombie, killed by signal %d", WTERMSIG(status));
	else
		fprintf(out, "zombie, exited with %d", WEXITSTATUS(status));
}

static void show_tree_line(const struct dn_summary *s, size_t i, int depth, FILE *out)
{
	const struct dn_image_process *p = &s->image->processes[i];
	const struct dn_process_summary *sum = &s->processes[i];
	char name[17];

	dn_process_name(p, name);
	fprintf(out, "  %*s%u ", DN_MIN(depth, TREE_DEPTH) * 2, "", p->process->pid);
	print_text(out, name);
	fprintf(out, ": ");
	if (p->process->state == DN__PROCESS__STATE__ZOMBIE) {
		print_end(out, p->process->exit_code);
	} else {
		if (p->process->state == DN__PROCESS__STATE__STOPPED)
			fprintf(out, "stopped by signal %u, ", p->process->stop_signal);
		fprintf(out, "%zu thread%s, %zu mapping%s of %s, ", p->thread_count, PLURAL(p->thread_count),
			p->vma_count, PLURAL(p->vma_count), SIZE(sum->mapped));
		fprintf(out, "%s stored", SIZE((sum->own + sum->common) * DN_PAGE_SIZE));
	}
	fprintf(out, "\n");
}

static void show_tree(const struct dn_summary *s, FILE *out)
{
	const struct dn_process_summary *all = s->processes;
	size_t i = 0;
	int depth = 0;

	fprintf(out, "\nprocesses\n");
	for (;;) {
		show_tree_line(s, i, depth, out);
		if (all[i].first_child) {
			i = all[i].first_child;
			depth++;
			continue;
		}
		while (i && !all[i].next_sibling) {
			i = all[i].parent;
			depth--;
		}
		if (!i)
			return;
		i = all[i].next_sibling;
	}
}

static void show_link(const struct dn_summary *s, const char *name, uint32_t file, FILE *out)
{
	char text[4400];

	dn_file_describe(s->image, file, text, sizeof(text));
	fprintf(out, "  %-12s ", name);
	print_text(out, text);
	fprintf(out, "\n");
}

static void show_threads(const struct dn_image_process *p, FILE *out)
{
	fprintf(out, "  threads     ");
	for (size_t i = 0; i < p->thread_count && i < THREADS_SHOWN; i++) {
		char name[17] = "";
		size_t n = DN_MIN(p->threads[i]->comm.len, sizeof(name) - 1);
		if (n)
			memcpy(name, p->threads[i]->comm.data, n);
		fprintf(out, " %u ", p->threads[i]->tid);
		print_text(out, name);
		fputs(i + 1 < p->thread_count ? "," : "", out);
	}
	if (p->thread_count > THREADS_SHOWN)
		fprintf(out, " and %zu more", p->thread_count - THREADS_SHOWN);
	fprintf(out, "\n");
}

static void show_memory(const struct dn_image_process *p, const struct dn_process_summary *sum, FILE *out)
{
	uint64_t bytes[DN_VMA_KINDS] = {};
	size_t counts[DN_VMA_KINDS] = {};
	const char *comma = "";

	for (size_t i = 0; i < p->vma_count; i++) {
		counts[p->vmas[i]->kind]++;
		bytes[p->vmas[i]->kind] += p->vmas[i]->end - p->vmas[i]->start;
	}
	fprintf(out, "  %-12s ", "mappings");
	for (size_t k = 0; k < DN_VMA_KINDS; k++) {
		if (!counts[k])
			continue;
		fprintf(out, "%s%zu %s of %s", comma, counts[k], dn_vma_kind_names[k], SIZE(bytes[k]));
		comma = ", ";
	}
	if (sum->inherited_mappings)
		fprintf(out, "; %" PRIu64 " inherited from the parent", sum->inherited_mappings);
	fprintf(out, "\n  %-12s %s of its own, ", "stored", SIZE(sum->own * DN_PAGE_SIZE));
	fprintf(out, "%s shared with its children\n", SIZE(sum->common * DN_PAGE_SIZE));
}

static void show_descriptors(const struct dn_summary *s, const Dn__Process *p, FILE *out)
{
	char text[4400];

	for (size_t i = 0; i < p->n_fds; i++) {
		const Dn__File *f = dn_image_file(s->image, p->fds[i]->file);
		dn_file_describe(s->image, f->id, text, sizeof(text));
		fprintf(out, "  fd %-9u %-4s ", p->fds[i]->number, dn_file_access_name(f));
		print_text(out, text);
		if (f->position)
			fprintf(out, " at %" PRId64, f->position);
		fprintf(out, "%s\n", p->fds[i]->close_on_exec ? " (close on exec)" : "");
	}
}

static void show_process(const struct dn_summary *s, size_t index, FILE *out)
{
	const struct dn_image_process *part = &s->image->processes[index];
	const Dn__Process *p = part->process;
	const Dn__Credentials *c = part->thread_count ? part->threads[0]->credentials : NULL;
	char name[17];

	if (p->state == DN__PROCESS__STATE__ZOMBIE)
		return;
	dn_process_name(part, name);
	fprintf(out, "\nprocess %u ", p->pid);
	print_text(out, name);
	fprintf(out, "\n  %-12s group %u%s, session %u%s", "ids", p->pgid, p->pgid_outside ? " (outside)" : "", p->sid,
		p->sid_outside ? " (outside)" : "");
	if (c)
		fprintf(out, ", uid %u, gid %u", c->uids[1], c->gids[1]);
	fprintf(out, "\n");
	show_link(s, "executable", p->mm->exe_file, out);
	show_link(s, "folder", p->cwd_file, out);
	show_threads(part, out);
	show_memory(part, &s->processes[index], out);
	size_t pending = p->n_pending;
	for (size_t i = 0; i < part->thread_count; i++)
		pending += part->threads[i]->n_pending;
	if (pending || p->n_timers)
		fprintf(out, "  %-12s %zu pending signal%s, %zu timer%s\n", "also", pending, PLURAL(pending),
			p->n_timers, PLURAL(p->n_timers));
	show_descriptors(s, p, out);
}

static void show_objects(const struct dn_summary *s, FILE *out)
{
	if (s->image->object_count)
		fprintf(out, "\nobjects\n");
	for (size_t i = 0; i < s->image->object_count; i++) {
		const Dn__Object *o = s->image->objects_by_id[i];
		fprintf(out, "  %u: %s ", o->id, dn_object_kind_name(o));
		print_text(out, o->name);
		fprintf(out, " of %s, ", SIZE(o->size));
		fprintf(out, "%s stored\n", SIZE(s->object_pages[i] * DN_PAGE_SIZE));
	}
}

int dn_inspect_text(const struct dn_summary *s, FILE *out)
{
	show_head(s, out);
	show_tree(s, out);
	for (size_t i = 0; i < s->image->process_count; i++)
		show_process(s, i, out);
	show_objects(s, out);
	if (fflush(out) != 0)
		return -errno;
	return ferror(out) ? -EIO : 0;
}
