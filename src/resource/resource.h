/* SPDX-License-Identifier: BSD-3-Clause */
/* resource.h - the two tables of drivers
 *
 * A kind of kernel state is one driver: one file with both halves, capture and restore.  There are two
 * sorts: descriptions of open files (struct dn_file_driver) and attributes of tasks (struct
 * dn_task_driver).  Adding a kind is adding a file here, a message in image.proto, a self-checking
 * program in tests/programs and a row in the table of README.md.
 */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/proc.h"
#include "image/image.h"
#include "tracee/tracee.h"

struct dn_capture;
struct dn_restore;

/* ================= open files ================= */

/* What is known of a descriptor when a driver is asked for.  fd is dunlin's own duplicate
 * (pidfd_getfd: the same open file description); it is closed by the caller. */
struct dn_file_probe {
	struct dn_process *process;
	int number; /* in the process; -1 for a mapping, exe, cwd or root */
	int fd;
	struct stat st; /* of fd */
	int flags;	/* F_GETFL; O_PATH set where it is one */
	int64_t position;
	const char *link;   /* what /proc/PID/fd/N (or map_files) says; " (deleted)" not removed */
	const char *fdinfo; /* text of /proc/PID/fdinfo/N, "" where there is none */
	dev_t proc_dev;	    /* of /proc */
	dev_t shm_dev;	    /* of memfds and shared anonymous memory */
};

struct dn_file_driver {
	const char *name; /* stands in File.driver and in the README's table */
	/* Is it one of mine?  Drivers are asked in table order. */
	bool (*match)(const struct dn_file_probe *probe);
	/* Fills the driver's own part of file (id, driver, flags, position, owner and signal are set
	 * by the caller).  What cannot be kept is refused with dn_error_refuse(), naming pid and fd. */
	int (*capture)(struct dn_capture *c, const struct dn_file_probe *probe, Dn__File *file, struct dn_error *err);
	/* After all descriptors of all processes were captured: the moment to decide what depends on
	 * who else holds it (pipes: inside or outside).  May be NULL. */
	int (*capture_end)(struct dn_capture *c, struct dn_error *err);
	/* Can it be restored here?  Called for every file before anything is started.  May be NULL. */
	int (*check)(struct dn_restore *r, const Dn__File *file, struct dn_error *err);
	/* Opens it in dunlin (close-on-exec, any number); the caller sets flags and position with
	 * fcntl and lseek afterwards where the driver did not, and F_SETOWN/F_SETSIG later. */
	int (*restore)(struct dn_restore *r, const Dn__File *file, int *ret_fd, struct dn_error *err);
	/* Runs when a process has its descriptors, for each that is of this driver: what must be done in
	 * the process itself, by remote calls.  May be NULL. */
	int (*settle)(struct dn_restore *r, struct dn_process *seed, const Dn__Process *process, const Dn__Fd *fd,
		      const Dn__File *file, struct dn_error *err);
	/* Runs in dn_files_start(): what counts from then on (timers).  May be NULL. */
	int (*start)(struct dn_restore *r, const Dn__File *file, int fd, struct dn_error *err);
	bool keeps_position; /* restore() sets position and flags itself, or they have no meaning */
	/* A file of one of the processes being restored: opened when they all exist (in the first
	 * dn_files_install).  May be NULL: never. */
	bool (*late)(const Dn__File *file);
};

extern const struct dn_file_driver *const dn_file_drivers[];	     /* NULL at the end */
const struct dn_file_driver *dn_file_driver_named(const char *name); /* NULL if there is none */

/* ---- file table, used by the engines ---- */

/* Captures all descriptors of one held process into message->fds; descriptions shared by dup and fork
 * are found with kcmp and captured once. */
int dn_files_capture(struct dn_capture *c, struct dn_process *p, Dn__Process *message, struct dn_error *err);
/* The file behind a mapping; access is O_RDONLY or O_RDWR (shared mapping that may become writable).
 * map_name is the path field of /proc/PID/maps.  executable: its content must not have changed at
 * restart; private: should not have.  Equal files are captured once. */
int dn_files_capture_mapping(struct dn_capture *c, struct dn_process *p, uint64_t start, uint64_t end, dev_t dev,
			     ino_t ino, const char *map_name, int access, bool executable, bool private,
			     uint32_t *ret_file, struct dn_error *err);
/* /proc/PID/{exe,cwd,root}; which is that name. */
int dn_files_capture_link(struct dn_capture *c, struct dn_process *p, const char *which, uint32_t *ret_file,
			  struct dn_error *err);
/* Calls every driver's capture_end, then writes FILES, PIPES and OBJECTS records. */
int dn_files_capture_end(struct dn_capture *c, struct dn_error *err);

/* Checks every file of the image; says what changed.  Nothing was started yet. */
int dn_files_check(struct dn_restore *r, struct dn_error *err);
/* Creates objects (empty), pipes with their data, and opens every file.  The descriptors' numbers avoid
 * all numbers at which any process of the image has something else: seeds inherit them (see
 * restore/restore.h).  Raises the soft limit of dunlin's descriptors to the hard one. */
int dn_files_open(struct dn_restore *r, struct dn_error *err);
/* dunlin's descriptor of a File.id (valid in seeds too); -ENOENT if there is no such file. */
int dn_files_descriptor(struct dn_restore *r, uint32_t file_id);
/* Opens an object for reading and writing, to fill it; the descriptor stays dunlin's own until
 * dn_objects_seal().  Thread safe.  -errno; -ESTALE: the deleted file is still alive on this host (an
 * outside process holds it, or a link elsewhere): its content is its own and must not be filled.
 * Objects with a huge_shift can be filled through a mapping only. */
int dn_objects_descriptor(struct dn_restore *r, uint32_t object_id);
/* In the seed, when all processes and threads exist: brings every descriptor to its number, closes all
 * that is not the process's, takes its locks, sets owner and signal.  Closing a file afterwards in the
 * seed may drop locks of the process: there must be no need for it. */
int dn_files_install(struct dn_restore *r, struct dn_process *seed, const Dn__Process *message, struct dn_error *err);
/* After all content was filled in, before any exe is set (a file that is open for writing cannot be
 * one): times, modes and seals of objects.  None can be written by dunlin afterwards. */
int dn_objects_seal(struct dn_restore *r, struct dn_error *err);
/* A seed has become the leader of its session, and has no children yet: gives it its controlling terminal. */
int dn_files_lead_session(struct dn_restore *r, struct dn_process *seed, struct dn_error *err);
/* Shortly before the tree is let go: starts what counts. */
int dn_files_start(struct dn_restore *r, struct dn_error *err);
/* The image is complete and the tree about to be killed. */
void dn_files_before_kill(struct dn_capture *c);
void dn_files_capture_finish(struct dn_capture *c);
void dn_files_restore_finish(struct dn_restore *r);

/* ---- objects, for the memory pipeline ---- */

/* Where an object's content is read from at capture. */
struct dn_object {
	Dn__Object message;
	int fd; /* readable, or -1: read it through (shared) mappings of processes instead */
	dev_t dev;
	ino_t ino;
	bool shared_outside; /* somebody else has it, too: that was said */
	bool borrowed;	     /* fd is the program's own description: its position is not to be touched */
};

struct dn_object *dn_objects(struct dn_capture *c, size_t *ret_count);

/* ================= attributes of tasks ================= */

enum dn_task_scope { DN_SCOPE_PROCESS, DN_SCOPE_THREAD };

/* When a restore function runs, in this order.  All threads of the tree are under dunlin's hand and have a
 * remote; nothing of the program has run yet. */
enum dn_restore_stage {
	DN_STAGE_EARLY, /* single-threaded seeds, before memory is filled (huge pages on or off) */
	/* After memory and threads, with full privileges still.  dunlin's descriptors of the image's files
	 * are open in the seed yet (before dn_files_install): working and root directory need them. */
	DN_STAGE_STATE,
	DN_STAGE_IDENTITY, /* credentials: ids, groups, capabilities, securebits, no_new_privs */
	/* With the final identity: dumpable, parent death signal, limits, pending signals, timers.  Process
	 * scope comes before the scope of its threads here: it empties the signal queues first. */
	DN_STAGE_LAST,
	DN_STAGE_COUNT,
};

struct dn_task_driver {
	const char *name;
	enum dn_task_scope scope;
	/* What ptrace tells of a stopped thread only (for process scope: of the leader).  Called while
	 * it is held, before it gets a remote.  May be NULL. */
	int (*look)(struct dn_capture *c, struct dn_thread *t, Dn__Process *process, Dn__Thread *thread,
		    struct dn_error *err);
	/* Queues what only the task itself can tell (remote is that of the thread; the leader for
	 * process scope).  NULL if there is nothing to ask.  At most 8 calls and 512 bytes of data;
	 * a driver that needs more has no ask() and runs its own batches in take(). */
	int (*ask)(struct dn_thread *t, struct dn_batch *b, struct dn_error *err);
	/* Fills the message.  b and first: the batch that ask() queued to, already run, and the index
	 * of this driver's first record.  local: what ask() got from its first dn_batch_alloc.
	 * process is set for process scope, thread for thread scope. */
	int (*take)(struct dn_capture *c, struct dn_thread *t, const struct dn_batch *b, size_t first, void *local,
		    Dn__Process *process, Dn__Thread *thread, struct dn_error *err);
	enum dn_restore_stage stage;
	/* Puts it back: queues calls to b (the engine runs it), or acts from outside on t->tid.  At most 8
	 * calls and 512 bytes are queued without asking for room by dn_task_room(). */
	int (*restore)(struct dn_restore *r, struct dn_thread *t, struct dn_batch *b, const Dn__Process *process,
		       const Dn__Thread *thread, struct dn_error *err);
};

extern const struct dn_task_driver *const dn_task_drivers[]; /* NULL at the end */

/* Capture: look() over one thread while it is held and has no remote yet (process scope: t is the leader,
 * thread is NULL); the others when all threads serve. */
int dn_task_look(struct dn_capture *c, struct dn_thread *t, enum dn_task_scope scope, Dn__Process *process,
		 Dn__Thread *thread, struct dn_error *err);
int dn_task_capture(struct dn_capture *c, struct dn_process *p, Dn__Process *process, struct dn_error *err);
/* Many threads work at the same time.  threads: one message for each. */
int dn_task_capture_threads(struct dn_capture *c, struct dn_process *p, Dn__Process *process, Dn__Thread **threads,
			    struct dn_error *err);
/* Restore: process scope, and thread scope, of one stage. */
int dn_task_restore(struct dn_restore *r, struct dn_process *p, enum dn_restore_stage stage, const Dn__Process *process,
		    struct dn_error *err);
int dn_task_restore_threads(struct dn_restore *r, struct dn_process *p, enum dn_restore_stage stage,
			    const Dn__Process *process, Dn__Thread *const *threads, struct dn_error *err);
/* A process that has ended keeps the ids that it ended with; nobody can ask it for more.  text: its status. */
int dn_zombie_capture(pid_t pid, const struct dn_text *status, Dn__Process *process, struct dn_error *err);
/* What a seed has to do before it ends in the place of a zombie, as far as dunlin's privileges go. */
void dn_zombie_restore(struct dn_batch *b, const Dn__Process *process);
void dn_task_capture_finish(struct dn_capture *c);
void dn_task_restore_finish(struct dn_restore *r);
