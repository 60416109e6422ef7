/* SPDX-License-Identifier: BSD-3-Clause */
/* image_sample.h - a small image that has something of everything, for tests and as a seed of the fuzzer
 *
 * Process 100 (two threads) is the root, 101 its child that inherits a mapping, 102 a zombie.  Tests change
 * a field before it is written to see what a reader says.
 */
#pragma once

#include <signal.h>
#include <sys/user.h>

#include "image/image.h"

#define SAMPLE_ADDR 0x10000000ul
#define SAMPLE_PAGES 600u /* in the root's first mapping; every third one is not stored */
#define SAMPLE_XSAVE 832u

struct sample {
	Dn__ImageInfo info;

	Dn__PathFile exe_path, data_path, ghost_path;
	Dn__PipeFile pipe_read, pipe_write;
	Dn__MemFile mem;
	Dn__TimerFile timer;
	Dn__OutsideFile outside;
	Dn__FileLock lock;
	Dn__FileLock *lock_list[1];
	Dn__EventFile event;
	Dn__SignalFile signals;
	Dn__PidFile pidfd;
	Dn__EpollFile epoll;
	Dn__EpollWatch watch[2];
	Dn__EpollWatch *watch_list[2];
	Dn__File file[12]; /* ids 1..12 */
	Dn__File *file_list[12];
	Dn__Files files;

	ProtobufCBinaryData packets[1];
	Dn__Pipe pipe[1];
	Dn__Pipe *pipe_list[1];
	Dn__Pipes pipes;

	Dn__Object object[2]; /* ids 1 (memfd), 2 (ghost) */
	Dn__Object *object_list[2];
	Dn__Objects objects;

	siginfo_t siginfo;
	ProtobufCBinaryData pending[1];
	Dn__Mm mm;
	Dn__Limit limit;
	Dn__Limit *limit_list[1];
	Dn__SignalAction action;
	Dn__SignalAction *action_list[1];
	Dn__PosixTimer posix_timer;
	Dn__PosixTimer *posix_timer_list[1];
	Dn__Fd fd[6];
	Dn__Fd *fd_list[6];
	Dn__Process process[3];

	Dn__Credentials credentials;
	uint32_t ids[4];
	Dn__Scheduling scheduling;
	struct user_regs_struct regs;
	unsigned char xsave[SAMPLE_XSAVE];
	Dn__Thread thread[3]; /* 100, 110; 101 */
	Dn__Thread *thread_list[3];
	Dn__Threads threads[2];

	uint64_t guards[2], absent[2];
	Dn__Vma vma[6]; /* four of the root, two of the child */
	Dn__Vma *vma_list[6];
	Dn__Vmas vmas[3]; /* those of the root in two parts */
};

void sample_init(struct sample *s);
/* Writes and commits it. */
int sample_write(const struct sample *s, const char *path, struct dn_error *err);
/* The messages alone, no pages and no commit. */
int sample_write_messages(const struct sample *s, struct dn_image_writer *w, struct dn_error *err);
/* What the page at addr of an owner holds. */
void sample_page(unsigned char page[4096], uint32_t owner, uint64_t addr);
