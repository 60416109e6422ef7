/* SPDX-License-Identifier: BSD-3-Clause */
/* terminal.h - who is in the foreground of the terminal that dunlin runs on */
#pragma once

#include "resource/context.h"

/* If dunlin is, alone, and will accompany the program, the program is from now on: it may read, and gets
 * what people type to interrupt and to stop it. */
void dn_terminal_give(struct dn_restore *r);
/* After a failure. */
void dn_terminal_take_back(struct dn_restore *r);
