/* SPDX-License-Identifier: BSD-3-Clause */
/* image_sample.c - a small image that has something of everything */
#include "image_sample.h"

#include "base/util.h"

/* The files of four event drivers. */
static void init_events(struct sample *s, Dn__File *file)
{
	dn__event_file__init(&s->event);
	s->event.count = 5;
	dn__signal_file__init(&s->signals);
	s->signals.mask = 0x200;
	dn__pid_file__init(&s->pidfd);
	s->pidfd.pid = 101;
	dn__epoll_file__init(&s->epoll);
	for (uint32_t i = 0; i < DN_ARRAY_LEN(s->watch); i++) {
		dn__epoll_watch__init(&s->watch[i]);
		s->watch[i].number = 7 + i;
		s->watch[i].file = 9 + i;
		s->watch[i].events = 1;
		s->watch_list[i] = &s->watch[i];
	}
	s->epoll.n_watches = DN_ARRAY_LEN(s->watch);
	s->epoll.watches = s->watch_list;
	file[0].event = &s->event;
	file[0].driver = "eventfd";
	file[1].signals = &s->signals;
	file[1].driver = "signalfd";
	file[2].pidfd = &s->pidfd;
	file[2].driver = "pidfd";
	file[3].epoll = &s->epoll;
	file[3].driver = "epoll";
}

static void init_files(struct sample *s)
{
	dn__path_file__init(&s->exe_path);
	s->exe_path.path = "/usr/bin/victim";
	s->exe_path.mode = 0100755;
	s->exe_path.size = 12345;
	s->exe_path.content_matters = true;
	dn__path_file__init(&s->data_path);
	s->data_path.path = "/home/user/data \"1\"\n.txt";
	s->data_path.mode = 0100644;
	s->data_path.size = 99;
	dn__path_file__init(&s->ghost_path);
	s->ghost_path.path = "/tmp/gone";
	s->ghost_path.object = 2;
	dn__pipe_file__init(&s->pipe_read);
	s->pipe_read.pipe = 1;
	s->pipe_write = s->pipe_read;
	dn__mem_file__init(&s->mem);
	s->mem.object = 1;
	dn__timer_file__init(&s->timer);
	s->timer.clock = 1;
	dn__outside_file__init(&s->outside);
	s->outside.standard = 1;
	s->outside.name = "/dev/pts/3";
	dn__file_lock__init(&s->lock);
	s->lock.kind = DN__FILE_LOCK__KIND__FLOCK;
	s->lock.end = UINT64_MAX;
	s->lock_list[0] = &s->lock;

	for (uint32_t i = 0; i < DN_ARRAY_LEN(s->file); i++) {
		dn__file__init(&s->file[i]);
		s->file[i].id = i + 1;
		s->file[i].driver = "file";
		s->file_list[i] = &s->file[i];
	}
	s->file[0].path = &s->exe_path;
	s->file[1].path = &s->data_path;
	s->file[1].flags = 02;
	s->file[1].position = 42;
	s->file[1].n_locks = 1;
	s->file[1].locks = s->lock_list;
	s->file[2].path = &s->ghost_path;
	s->file[3].pipe = &s->pipe_read;
	s->file[3].driver = "pipe";
	s->file[4].pipe = &s->pipe_write;
	s->file[4].driver = "pipe";
	s->file[4].flags = 01;
	s->file[5].mem = &s->mem;
	s->file[5].driver = "memfd";
	s->file[6].timer = &s->timer;
	s->file[6].driver = "timerfd";
	s->file[7].outside = &s->outside;
	s->file[7].driver = "outside";
	init_events(s, &s->file[8]);
	dn__files__init(&s->files);
	s->files.n_files = DN_ARRAY_LEN(s->file);
	s->files.files = s->file_list;
}

static void init_pipes_and_objects(struct sample *s)
{
	s->packets[0] = (ProtobufCBinaryData){ 12, (uint8_t *)"data in pipe" };
	dn__pipe__init(&s->pipe[0]);
	s->pipe[0].id = 1;
	s->pipe[0].capacity = 65536;
	s->pipe[0].n_packets = 1;
	s->pipe[0].packets = s->packets;
	s->pipe_list[0] = &s->pipe[0];
	dn__pipes__init(&s->pipes);
	s->pipes.n_pipes = 1;
	s->pipes.pipes = s->pipe_list;

	dn__object__init(&s->object[0]);
	s->object[0].id = 1;
	s->object[0].kind = DN__OBJECT__KIND__MEMFD;
	s->object[0].size = 10000;
	s->object[0].name = "shared";
	dn__object__init(&s->object[1]);
	s->object[1].id = 2;
	s->object[1].kind = DN__OBJECT__KIND__GHOST;
	s->object[1].size = 5;
	s->object[1].name = "/tmp/gone";
	s->object_list[0] = &s->object[0];
	s->object_list[1] = &s->object[1];
	dn__objects__init(&s->objects);
	s->objects.n_objects = 2;
	s->objects.objects = s->object_list;
}

static void init_processes(struct sample *s)
{
	s->siginfo.si_signo = SIGUSR1;
	s->pending[0] = (ProtobufCBinaryData){ sizeof(s->siginfo), (uint8_t *)&s->siginfo };
	dn__mm__init(&s->mm);
	s->mm.exe_file = 1;
	s->mm.auxv = (ProtobufCBinaryData){ 16, (uint8_t *)"auxiliary vector" };
	dn__limit__init(&s->limit);
	s->limit.resource = 7;
	s->limit.soft = 1024;
	s->limit.hard = UINT64_MAX;
	s->limit_list[0] = &s->limit;
	dn__signal_action__init(&s->action);
	s->action.signal = SIGINT;
	s->action.handler = 0x401000;
	s->action_list[0] = &s->action;
	dn__posix_timer__init(&s->posix_timer);
	s->posix_timer.signal = SIGALRM;
	s->posix_timer_list[0] = &s->posix_timer;
	for (uint32_t i = 0; i < DN_ARRAY_LEN(s->fd); i++) {
		dn__fd__init(&s->fd[i]);
		s->fd[i].number = i == 5 ? 1000 : i;
		s->fd[i].file = i + 2;
		s->fd_list[i] = &s->fd[i];
	}
	s->fd[1].file = 8;
	s->fd[3].close_on_exec = true;
	for (uint32_t i = 0; i < 3; i++) {
		Dn__Process *p = &s->process[i];
		dn__process__init(p);
		p->pid = 100 + i;
		p->ppid = i ? 100 : 0;
		p->pgid = p->sid = 100;
		p->exit_signal = SIGCHLD;
		if (i == 2)
			continue;
		p->mm = &s->mm;
		p->cwd_file = 2;
		p->root_file = 1;
		p->umask = 022;
		p->n_fds = i ? 3 : DN_ARRAY_LEN(s->fd);
		p->fds = s->fd_list;
		p->n_limits = p->n_actions = p->n_timers = p->n_pending = 1;
		p->limits = s->limit_list;
		p->actions = s->action_list;
		p->timers = s->posix_timer_list;
		p->pending = s->pending;
	}
	s->process[2].state = DN__PROCESS__STATE__ZOMBIE;
	s->process[2].comm = "gone";
	s->process[2].exit_code = 0x100;
}

static void init_threads(struct sample *s)
{
	static const uint32_t tids[] = { 100, 110, 101 };

	dn__credentials__init(&s->credentials);
	s->credentials.n_uids = s->credentials.n_gids = s->credentials.n_groups = 4;
	s->credentials.uids = s->credentials.gids = s->credentials.groups = s->ids;
	dn__scheduling__init(&s->scheduling);
	s->scheduling.affinity = (ProtobufCBinaryData){ 8, (uint8_t *)"\3\0\0\0\0\0\0\0" };
	for (size_t i = 0; i < DN_ARRAY_LEN(tids); i++) {
		Dn__Thread *t = &s->thread[i];
		dn__thread__init(t);
		t->tid = tids[i];
		t->comm = (ProtobufCBinaryData){ 6, (uint8_t *)"victim" };
		t->registers = (ProtobufCBinaryData){ sizeof(s->regs), (uint8_t *)&s->regs };
		t->xsave = (ProtobufCBinaryData){ sizeof(s->xsave), s->xsave };
		t->remaining_ns = i ? -1 : 1500000000;
		t->n_pending = 1;
		t->pending = s->pending;
		t->credentials = &s->credentials;
		t->scheduling = &s->scheduling;
		s->thread_list[i] = t;
	}
	for (size_t i = 0; i < 2; i++) {
		dn__threads__init(&s->threads[i]);
		s->threads[i].pid = 100 + (uint32_t)i;
		s->threads[i].n_threads = i ? 1 : 2;
		s->threads[i].threads = s->thread_list + 2 * i;
	}
}

static void init_vmas(struct sample *s)
{
	const struct {
		uint64_t start, pages;
		int kind;
		uint32_t file, prot;
	} vmas[] = {
		{ SAMPLE_ADDR, SAMPLE_PAGES, DN__VMA__KIND__ANON, 0, 3 },
		{ SAMPLE_ADDR + SAMPLE_PAGES * 4096, 2, DN__VMA__KIND__FILE_PRIVATE, 1, 5 },
		{ 0x20000000, 3, DN__VMA__KIND__FILE_SHARED, 6, 3 },
		{ 0x7fff00000000, 2, DN__VMA__KIND__VDSO, 0, 5 },
		{ SAMPLE_ADDR, SAMPLE_PAGES, DN__VMA__KIND__ANON, 0, 3 },
		{ 0x20000000, 3, DN__VMA__KIND__FILE_SHARED, 6, 1 },
	};

	for (size_t i = 0; i < DN_ARRAY_LEN(vmas); i++) {
		Dn__Vma *v = &s->vma[i];
		dn__vma__init(v);
		v->start = vmas[i].start;
		v->end = vmas[i].start + vmas[i].pages * 4096;
		v->kind = vmas[i].kind;
		v->file = vmas[i].file;
		v->prot = vmas[i].prot;
		s->vma_list[i] = v;
	}
	s->vma[0].name = "heap of tests";
	s->guards[0] = SAMPLE_ADDR + 4096;
	s->guards[1] = SAMPLE_ADDR + 8192;
	s->vma[0].n_guards = 2;
	s->vma[0].guards = s->guards;
	s->vma[4].inherit = true;
	s->vma[4].inherit_end = s->vma[4].end;
	s->absent[0] = SAMPLE_ADDR;
	s->absent[1] = SAMPLE_ADDR + 4096;
	s->vma[4].n_absent = 2;
	s->vma[4].absent = s->absent;
	for (size_t i = 0; i < 3; i++) {
		dn__vmas__init(&s->vmas[i]);
		s->vmas[i].pid = i == 2 ? 101 : 100;
		s->vmas[i].n_vmas = 2;
		s->vmas[i].vmas = s->vma_list + 2 * i;
	}
}

void sample_init(struct sample *s)
{
	memset(s, 0, sizeof(*s));
	dn__image_info__init(&s->info);
	s->info.dunlin_version = "0";
	s->info.architecture = "x86_64";
	s->info.kernel = "6.1";
	s->info.hostname = "node1";
	s->info.created_ns = 1700000000000000000;
	s->info.page_size = 4096;
	s->info.xsave_size = SAMPLE_XSAVE;
	s->info.root_pid = 100;
	s->info.command = "victim --of tests";
	s->info.processes = 3;
	s->info.threads = 3;
	init_files(s);
	init_pipes_and_objects(s);
	init_processes(s);
	init_threads(s);
	init_vmas(s);
}

void sample_page(unsigned char page[4096], uint32_t owner, uint64_t addr)
{
	uint64_t x = (addr | 1) * 0x9e3779b97f4a7c15u + owner;

	for (size_t i = 0; i < 4096; i += sizeof(x)) {
		memcpy(page + i, &x, sizeof(x));
		x = x * 6364136223846793005u + 1442695040888963407u;
	}
}

int sample_write_messages(const struct sample *s, struct dn_image_writer *w, struct dn_error *err)
{
	const struct {
		enum dn_record_type type;
		const ProtobufCMessage *message;
	} records[] = {
		{ DN_RECORD_INFO, &s->info.base },	    { DN_RECORD_FILES, &s->files.base },
		{ DN_RECORD_PIPES, &s->pipes.base },	    { DN_RECORD_OBJECTS, &s->objects.base },
		{ DN_RECORD_PROCESS, &s->process[0].base }, { DN_RECORD_VMAS, &s->vmas[0].base },
		{ DN_RECORD_VMAS, &s->vmas[1].base },	    { DN_RECORD_THREADS, &s->threads[0].base },
		{ DN_RECORD_PROCESS, &s->process[1].base }, { DN_RECORD_VMAS, &s->vmas[2].base },
		{ DN_RECORD_THREADS, &s->threads[1].base }, { DN_RECORD_PROCESS, &s->process[2].base },
	};
	int r = 0;

	for (size_t i = 0; i < DN_ARRAY_LEN(records) && r >= 0; i++)
		r = dn_image_write_message(w, records[i].type, records[i].message, err);
	return r;
}

static void add_page(struct dn_page_buffer *b, uint32_t owner, uint64_t addr)
{
	struct dn_run *last = b->run_count ? &b->runs[b->run_count - 1] : NULL;

	sample_page(b->pages + b->page_count++ * DN_PAGE_SIZE, owner, addr);
	if (last && last->addr + last->pages * DN_PAGE_SIZE == addr)
		last->pages++;
	else
		b->runs[b->run_count++] = (struct dn_run){ addr, 1 };
}

static int flush_pages(struct dn_image_writer *w, enum dn_page_stage stage, uint32_t owner, struct dn_page_buffer *b,
		       struct dn_error *err)
{
	int r = dn_image_write_pages(w, stage, owner, b, err);

	b->run_count = b->page_count = 0;
	return r;
}

static int write_pages(const struct sample *s, struct dn_image_writer *w, struct dn_page_buffer *b,
		       struct dn_error *err)
{
	int r = 0;

	for (uint64_t i = 0; i < SAMPLE_PAGES && r >= 0; i++) {
		if (i % 3 != 2)
			add_page(b, 100, SAMPLE_ADDR + i * DN_PAGE_SIZE);
		if (b->page_count == DN_CHUNK_PAGES || i == SAMPLE_PAGES - 1)
			r = flush_pages(w, DN_PAGES_COMMON, 100, b, err);
	}
	/* Single pages with gaps: as many runs as pages, two blocks of head. */
	for (uint64_t i = 0; i < 2 * 251 && r >= 0; i += 2)
		add_page(b, 101, SAMPLE_ADDR + i * DN_PAGE_SIZE);
	if (r >= 0)
		r = flush_pages(w, DN_PAGES_OWN, 101, b, err);
	if (r < 0)
		return r;
	add_page(b, 1, 0);
	add_page(b, 1, 8192);
	return flush_pages(w, DN_PAGES_OBJECT, 1, b, err);
}

int sample_write(const struct sample *s, const char *path, struct dn_error *err)
{
	struct dn_image_writer *w = NULL;
	struct dn_page_buffer b = {};

	int r = dn_image_writer_new(path, &w, err);
	if (r >= 0)
		r = dn_page_buffer_init(&b, err);
	if (r >= 0)
		r = sample_write_messages(s, w, err);
	if (r >= 0)
		r = write_pages(s, w, &b, err);
	if (r >= 0)
		r = dn_image_commit(w, err);
	dn_page_buffer_finish(&b);
	dn_image_writer_free(w);
	return r;
}
