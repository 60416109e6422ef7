/* SPDX-License-Identifier: BSD-3-Clause */
/* vma.h - what Vma.flags means */
#pragma once

#include <stdint.h>

#define DN_VMA_GROWSDOWN (1ull << 0)
#define DN_VMA_NORESERVE (1ull << 1)
#define DN_VMA_ACCOUNT (1ull << 2) /* counted as committed memory: was writable once */
#define DN_VMA_LOCKED (1ull << 3)
#define DN_VMA_LOCKONFAULT (1ull << 4)
#define DN_VMA_DONTFORK (1ull << 5)
#define DN_VMA_WIPEONFORK (1ull << 6)
#define DN_VMA_DONTDUMP (1ull << 7)
#define DN_VMA_HUGEPAGE (1ull << 8)
#define DN_VMA_NOHUGEPAGE (1ull << 9)
#define DN_VMA_MERGEABLE (1ull << 10)
#define DN_VMA_SEQUENTIAL (1ull << 11)
#define DN_VMA_RANDOM (1ull << 12)
#define DN_VMA_SEALED (1ull << 13)
#define DN_VMA_DROPPABLE (1ull << 14)
#define DN_VMA_ALL ((1ull << 15) - 1)
