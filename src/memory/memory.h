/* SPDX-License-Identifier: BSD-3-Clause */
/* memory.h - mappings and pages, out of processes and back into them
 *
 * Theory of operation.  Capture reads the mappings of every held process (smaps.c, vma.c), then decides
 * with the page tables of parents and children side by side which pages a child shares with its parent
 * (plan.c): these are stored once, with the parent, as COMMON pages, and the child's seed gets them by
 * being cloned from the parent's after they were filled in.  What is left is OWN.  Pages are copied out
 * by several threads, each with a 1 MiB buffer that becomes one page record (dump.c); which pages there
 * are is asked of the kernel piece by piece (scan.c), so that dunlin's own memory does not grow with the
 * program's.  Restore maps (map.c), fills from outside with process_vm_writev (fill.c), and gives final
 * protections and flags last (protect.c).
 */
#pragma once

#include "base/error.h"
#include "resource/context.h"

/* ---- capture: the processes are held, p->threads[0] has a remote ---- */

/* Reads and classifies p's mappings; what cannot be kept is refused by name.  p comes after its parent. */
int dn_memory_capture_maps(struct dn_capture *c, struct dn_process *p, struct dn_error *err);
/* Fills message->mm, which is made if it is NULL. */
int dn_memory_fill_mm(struct dn_capture *c, struct dn_process *p, Dn__Process *message, struct dn_error *err);
/* After the mappings and files of all processes are known, before objects are written: what there is of
 * objects that dunlin may not open, and how large they are. */
int dn_memory_look_at_objects(struct dn_capture *c, struct dn_error *err);
/* After the mappings of all processes are known: who inherits what from whom. */
int dn_memory_plan(struct dn_capture *c, struct dn_error *err);
/* Writes p's VMAS records. */
int dn_memory_write_maps(struct dn_capture *c, struct dn_process *p, struct dn_error *err);
/* Writes the page records of all processes and objects. */
int dn_memory_write_pages(struct dn_capture *c, struct dn_error *err);
void dn_memory_capture_finish(struct dn_capture *c);

/* XXH3-128 of this kernel's [vdso] pages, for ImageInfo.  1; 0: there is none. */
int dn_vdso_hash(unsigned char hash[16], struct dn_error *err);

/* ---- restore: i is an index into dn_image_processes(); the seed is r->seeds[i], threads[0] has a remote ---- */

/* Before anything is started: is what the image says of memory sound, and does it fit this machine? */
int dn_memory_check(struct dn_restore *r, struct dn_error *err);
/* The seed is a fresh clone of its parent's seed, which had been through dn_memory_map and
 * dn_memory_fill_common (the root's seed: an empty address space but for the arena). */
int dn_memory_map(struct dn_restore *r, size_t i, struct dn_error *err);
/* The pages that its children will inherit: before they are cloned. */
int dn_memory_fill_common(struct dn_restore *r, size_t i, struct dn_error *err);
/* All other pages, of processes and objects: after all processes were mapped. */
int dn_memory_fill_rest(struct dn_restore *r, struct dn_error *err);
/* Protections, madvise flags, names, locks, guard regions, brk, auxv, exe: after fill_rest, with the
 * privileges of dunlin still, and before the final limits. */
int dn_memory_protect(struct dn_restore *r, size_t i, struct dn_error *err);
/* Seals (mseal): after everything else that changes mappings. */
int dn_memory_seal(struct dn_restore *r, size_t i, struct dn_error *err);
void dn_memory_restore_finish(struct dn_restore *r);
