/* SPDX-License-Identifier: BSD-3-Clause */
/* fileopen.h - what a restore knows of the files that it opened; inner contract of the file drivers
 *
 * Theory of operation: dunlin opens everything itself, before any process exists, and the processes
 * inherit all of it when they are cloned.  A descriptor that waits there must be at a number that no
 * process uses for something else, since bringing descriptors to their places must not run over one
 * that is still to be brought.  A number is good for a file
 *   - if every process that has the number has this file there (its home: nothing is left to do in
 *     most programs, and no second number is needed for it), or
 *   - if no process has the number at all.
 * Entries of /proc/PID can be opened only when the processes exist: they get a number at once, which
 * /dev/null holds, and are sent to the processes through a socket later.
 */
#pragma once

#include <fcntl.h>
#include <pthread.h>

#include "resource/context.h"
#include "resource/idmap.h"

struct dn_open_file {
	Dn__File *message;
	const struct dn_file_driver *driver;
	int fd;	       /* the number where processes find it; -1: not open yet */
	uint32_t home; /* lowest number above 2 that is this file's wherever it is used; 0: none */
	bool late;     /* /dev/null is there now */
	int gone;      /* unix sockets: what stands in for the other end, which was closed; -1: nothing */
	int made;      /* late: what was made for it together with another; -1: nothing */
	bool on_disk;  /* a name was made for it that a failure removes */
	bool owned;    /* owner and signal were set */
	bool grown;    /* is longer than at the checkpoint, and was open for writing */
};

struct dn_open_object {
	Dn__Object *message;
	int fd;	    /* O_PATH: does not stand in the way of executing it; -1: not made */
	int maker;  /* what made an unnamed file, until a description of the image is it; -1 */
	int work;   /* to fill it; -1: not needed so far */
	bool alive; /* found on this host: content and attributes are its own */
};

struct dn_open_pipe {
	Dn__Pipe *message;
	int fds[2];    /* read and write end, or both ends of a FIFO in [0]; -1 */
	bool given[2]; /* the end that the pipe was made with has become a file of the image */
};

/* A number that a process of the image uses, and for what. */
struct dn_number_use {
	uint32_t number;
	uint32_t file; /* index in files */
};

struct dn_open_files {
	struct dn_open_file *files;
	size_t count;
	struct dn_open_object *objects;
	size_t object_count;
	struct dn_open_pipe *pipes;
	size_t pipe_count;
	struct dn_idmap map;	    /* enum dn_open_key; values: index + 1 */
	struct dn_number_use *uses; /* sorted by number, then file */
	size_t use_count;
	uint32_t next; /* numbers below it were tried */
	int post[2];   /* socket pair for late files; -1 */
	bool late_open;
	bool tcp_made;	      /* all connections are there (dn_tcp_connect_all) */
	bool unix_made;	      /* all unix sockets are there (dn_unix_make_all) */
	bool started;	      /* nothing that was made on disk is to be removed any more */
	pthread_mutex_t lock; /* over objects[].work */
};

enum dn_open_key { DN_OPEN_FILE = 1, DN_OPEN_OBJECT, DN_OPEN_PIPE, DN_OPEN_WARNED };

/* The table of a restore, made and checked against the image when it is asked for first. */
int dn_open_files(struct dn_restore *r, struct dn_open_files **ret, struct dn_error *err);

struct dn_open_file *dn_open_file(struct dn_open_files *o, uint32_t id);
struct dn_open_object *dn_open_object(struct dn_open_files *o, uint32_t id);
struct dn_open_pipe *dn_open_pipe(struct dn_open_files *o, uint32_t id);

/* Moves a descriptor to a number that is good for the file (NULL: that no process has).  fd is closed,
 * also on failure.  Returns the number or -errno. */
int dn_place(struct dn_open_files *o, const struct dn_open_file *file, int fd, struct dn_error *err);

/* Does any process have the file at this number? */
bool dn_stands_at(const struct dn_open_files *o, const struct dn_open_file *file, uint32_t number);

/* What people call it, for messages. */
const char *dn_file_name(const Dn__File *file);

/* ---- paths ---- */

/* Is what the path leads to still what it was?  Notes and warns if it grew. */
int dn_path_check(struct dn_restore *r, const Dn__File *file, const Dn__PathFile *path, struct dn_error *err);
/* Opens it with the flags of the description.  -errno. */
int dn_path_open(struct dn_restore *r, const Dn__File *file, const Dn__PathFile *path, struct dn_error *err);
/* The same for a folder that was removed. */
int dn_removed_open(struct dn_restore *r, const Dn__File *file, struct dn_error *err);
/* A new name next to path that does not exist, for what is deleted at once; to be freed. */
char *dn_path_spare(const char *path);

/* ---- objects ---- */

int dn_objects_create(struct dn_restore *r, struct dn_error *err);
/* A new description of an object.  -errno. */
int dn_object_open(struct dn_restore *r, uint32_t id, uint32_t flags, struct dn_error *err);

/* ---- pipes ---- */

/* The pipe with its data, both ends; made when it is asked for first. */
int dn_pipe_open(struct dn_restore *r, uint32_t id, struct dn_open_pipe **ret, struct dn_error *err);
/* Puts the data of pipe m into the pipe or FIFO behind fd, a write end. */
int dn_pipe_fill(const Dn__Pipe *m, int fd, struct dn_error *err);

/* ---- unix sockets (unixopen.c) ---- */

/* Can the names be had?  Of one file. */
int dn_unix_check(struct dn_restore *r, const Dn__File *file, struct dn_error *err);
/* Makes them all, into dn_open_file.made, when the processes exist. */
int dn_unix_make_all(struct dn_restore *r, struct dn_error *err);
/* Removes the files that were made for them. */
void dn_unix_unmake(struct dn_restore *r);

/* ---- locks ---- */

/* What fcntl() takes for a lock; -EINVAL if it makes no sense. */
int dn_lock_fcntl(const Dn__FileLock *m, struct flock *ret);
/* Takes the locks of descriptions, and asks whether those of processes can be taken. */
int dn_locks_take(struct dn_restore *r, struct dn_error *err);

int dn_reopen(int fd, int flags);
int dn_open_flags(uint32_t flags);
