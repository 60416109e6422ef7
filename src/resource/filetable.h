/* SPDX-License-Identifier: BSD-3-Clause */
/* filetable.h - what a capture knows of open files; inner contract of the file drivers
 *
 * A description (struct file of the kernel) becomes one File message, found again by kcmp among those
 * with the same inode.  Mappings, exe, cwd and root become Files of their own, one for each way of
 * opening an inode.  Content without a path becomes an Object, one for each inode; pipes and FIFOs one
 * Pipe each.
 */
#pragma once

#include "base/proc.h"
#include "resource/context.h"
#include "resource/idmap.h"

/* One Dn__File. */
struct dn_description {
	Dn__File *file;
	const struct dn_file_driver *driver;
	dev_t dev;
	ino_t ino;
	struct dn_process *process; /* who has it, the first one met; held as long as the capture runs */
	int number;		    /* at which descriptor; -1: a mapping or a link */
	unsigned int standard;	    /* bit n: some process has it at descriptor n, for 0, 1 and 2 */
	uint32_t blind;		    /* the object without descriptor that it is on */
};

/* The descriptions of one inode, in the order that kcmp gives them: indices of descriptions. */
struct dn_description_group {
	uint32_t *sorted;
	size_t count, cap;
};

/* A pipe or FIFO: who is at its ends. */
struct dn_pipe_seen {
	dev_t dev;
	ino_t ino;
	bool fifo;
	size_t readers, writers; /* descriptions in the tree */
	uint32_t reader, writer; /* indices of one of each */
	bool packets;		 /* a write end is in packet mode */
	bool outside;		 /* its other end is not in the tree */
	bool shared_outside;	 /* somebody else has it, too: that was said */
};

struct dn_file_table {
	struct dn_description *descriptions; /* File.id is the index + 1 */
	size_t count, cap;
	struct dn_description_group *groups;
	size_t group_count, group_cap;
	struct dn_object *objects; /* Object.id is the index + 1 */
	size_t object_count, object_cap;
	struct dn_pipe_seen *pipes; /* Pipe.id is the index + 1 */
	size_t pipe_count, pipe_cap;
	struct dn_idmap map; /* see enum dn_file_key */
	dev_t proc_dev, shm_dev;
	ino_t mount_namespace;	      /* dunlin's own */
	struct dn_process *looked_at; /* whose mount namespace was compared last */
	struct dn_process *own;	      /* dunlin itself, which has what is on its way in sockets */
	int *kept;		      /* such descriptors, to be closed in the end */
	size_t kept_count, kept_cap;
};

enum dn_file_key {
	DN_KEY_GROUP = 1,
	DN_KEY_OBJECT,
	DN_KEY_PIPE,
	DN_KEY_LINK,	/* exe, cwd, root */
	DN_KEY_MAPPING, /* + access; b: inode and name */
};

/* The table of the capture, made when it is asked for first. */
int dn_file_table(struct dn_capture *c, struct dn_file_table **ret, struct dn_error *err);

/* Fills st and the devices of a probe whose process, fd and link are set. */
int dn_probe_fill(struct dn_file_table *t, struct dn_file_probe *probe, struct dn_error *err);

/* Finds the driver, captures and appends; *ret_index: in descriptions.  link and fdinfo are set. */
int dn_description_add(struct dn_capture *c, const struct dn_file_probe *probe, uint32_t *ret_index,
		       struct dn_error *err);

/* The value behind "key:" in fdinfo, NULL if there is none. */
const char *dn_probe_field(const struct dn_file_probe *probe, const char *key);

/* The description that a process of the tree has at a number.  1: *ret_index; 0: none. */
int dn_description_find(struct dn_capture *c, struct dn_process *p, int number, uint32_t *ret_index,
			struct dn_error *err);

/* A descriptor that dunlin received, as it is on its way through a socket: *ret_file is its File.id.  Closes fd,
 * at once or when the capture ends. */
int dn_description_take(struct dn_capture *c, int fd, uint32_t *ret_file, struct dn_error *err);

/* Another duplicate of a description that a process has; -errno. */
int dn_description_get(const struct dn_description *d, struct dn_error *err);

/* "process 12 (sh) has descriptor 3" or "process 12 (sh) maps", for messages; buf is returned. */
const char *dn_probe_whose(const struct dn_file_probe *probe, char buf[static 96]);

/* Opens what fd is open on once more: a new description. */
int dn_reopen(int fd, int flags);

/* The bits of F_GETFL that open(2) and fcntl(2) take; the others are the kernel's. */
int dn_open_flags(uint32_t flags);

/* The process of the tree that has this thread; 0: none. */
pid_t dn_process_of_thread(const struct dn_capture *c, pid_t tid);

/* The process that a path in /proc belongs to; 0: none. */
pid_t dn_proc_pid(const char *path);

/* ---- objects ---- */

/* The object of the probe's inode, made if it is new.  name: see Object.name. */
int dn_object_capture(struct dn_capture *c, const struct dn_file_probe *probe, Dn__Object__Kind kind, const char *name,
		      uint32_t *ret_id, struct dn_error *err);
/* The same without a descriptor (no privilege): the object is read through mappings and is as large as
 * they reach. */
int dn_object_blind(struct dn_capture *c, dev_t dev, ino_t ino, Dn__Object__Kind kind, const char *name, uint64_t size,
		    uint32_t *ret_id, struct dn_error *err);
int dn_objects_write(struct dn_capture *c, struct dn_error *err);

/* ---- paths ---- */

/* What of it is described by its path: fills a new PathFile.  Deleted regular files get an object;
 * other deleted things are refused. */
int dn_path_capture(struct dn_capture *c, const struct dn_file_probe *probe, Dn__PathFile **ret, struct dn_error *err);
/* A path that leads to the probe's inode: its own, or another name in the same folder.  *ret_path is
 * NULL if there is none; then *ret_was is the path that it had.  Both are to be freed. */
int dn_path_find(const struct dn_file_probe *probe, char **ret_path, char **ret_was, struct dn_error *err);

/* Any name of the inode in the folder of what a link says; to be freed, NULL if there is none. */
char *dn_path_other_name(const char *link, dev_t dev, ino_t ino);

/* ---- locks ---- */

/* Reads the lock lines of probe->fdinfo: those of the process go to message (NULL: none), those of the
 * description to file if fresh. */
int dn_locks_capture(const struct dn_file_probe *probe, Dn__File *file, bool fresh, Dn__Process *message,
		     struct dn_error *err);

/* ---- pipes ---- */

/* Notes one end of a pipe or FIFO; *ret_id is Pipe.id. */
int dn_pipe_capture(struct dn_capture *c, const struct dn_file_probe *probe, bool fifo, uint32_t *ret_id,
		    struct dn_error *err);
/* Which pipes belong to the world outside: descriptions of their ends become the outside driver's. */
int dn_pipes_sort_out(struct dn_capture *c, struct dn_error *err);
/* Data and sizes, as PIPES records. */
int dn_pipes_write(struct dn_capture *c, struct dn_error *err);

/* ---- ancestors ---- */

/* Warns of pipes and objects that the processes above the tree have too. */
void dn_ancestors_look(struct dn_capture *c);
