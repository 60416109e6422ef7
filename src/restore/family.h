/* SPDX-License-Identifier: BSD-3-Clause */
/* family.h - who creates whom, sessions and process groups */
#pragma once

#include "resource/context.h"

/* Creates all seeds of the image, each as a child of its parent's seed and in its session, with its
 * mappings and COMMON pages; then forms the process groups.  Zombies are still alive (as seeds). */
int dn_family_create(struct dn_restore *r, struct dn_error *err);
/* Puts those that were stopped into a group stop.  Before threads are made. */
int dn_family_stop(struct dn_restore *r, struct dn_error *err);
/* Ends the zombies. */
int dn_family_bury(struct dn_restore *r, struct dn_error *err);
