/* SPDX-License-Identifier: BSD-3-Clause */
/* vdso.h - this kernel's vdso: its content, and how large it and its data are */
#pragma once

#include <stdint.h>

#include "base/error.h"

struct dn_vdso {
	uint64_t start, size; /* of [vdso] in dunlin itself; size 0: there is none */
	uint64_t data_size;   /* of the [vvar] pages before it */
};

int dn_vdso_find(struct dn_vdso *ret, struct dn_error *err);
