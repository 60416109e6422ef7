/* SPDX-License-Identifier: BSD-3-Clause */
/* slot.h - the memory that dunlin and a thread under its hand share, as the injected loop sees it
 *
 * An arena is one memfd: a page of code (mapped r-x in the process), a header page, and slots (both
 * rw-).  Each thread that serves remote calls has a slot.  This header is read by the assembler too.
 */
#pragma once

/* Offsets in struct dn_slot, checked by static asserts below. */
#define DN_SLOT_OWNER_PTR 0
#define DN_SLOT_POSTED 8
#define DN_SLOT_DONE 12
#define DN_SLOT_COUNT 16
#define DN_SLOT_EXECUTED 20
#define DN_SLOT_HOME_VALID 24
#define DN_SLOT_WAITERS 32
#define DN_SLOT_WAIT_POSTED_VAL 56
#define DN_SLOT_HOME_MASK 80
#define DN_SLOT_HOME_SP 88
#define DN_SLOT_HOME_FLAGS 96
#define DN_SLOT_HOME_IP 104
#define DN_SLOT_HOME_REGS 112 /* r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi */
#define DN_SLOT_RECORDS 256

#define DN_RECORD_SIZE 72
#define DN_RECORD_RESULT 56
#define DN_RECORD_MAY_FAIL 64

#ifndef __ASSEMBLER__
#include <stddef.h>
#include <stdint.h>

/* One system call. */
struct dn_record {
	int64_t nr;
	uint64_t args[6];
	int64_t result; /* -errno as the kernel returns it */
	uint64_t may_fail;
};

struct dn_futex_waiter { /* struct futex_waitv, Linux 5.16 */
	uint64_t val, uaddr;
	uint32_t flags, reserved;
};

struct dn_slot {
	uint64_t owner_ptr;  /* address of the arena's owner word in the process */
	uint32_t posted;     /* number of the newest batch; futex */
	uint32_t done;	     /* number of the newest finished batch; futex */
	uint32_t count;	     /* records in the batch */
	uint32_t executed;   /* how many of them were run */
	uint64_t home_valid; /* the thread can go home by itself when dunlin dies */
	struct dn_futex_waiter waiters[2];
	uint64_t home_mask, home_sp, home_flags, home_ip, home_regs[15];
	uint8_t pad[DN_SLOT_RECORDS - DN_SLOT_HOME_REGS - 15 * 8];
	struct dn_record records[];
};

/* First thing in the header page. */
struct dn_arena_header {
	/* Thread id of dunlin, held as a robust futex: the kernel sets FUTEX_OWNER_DIED when it dies. */
	uint32_t owner;
	uint32_t reserved;
	/* dunlin's robust list runs through here (struct robust_list: its own addresses). */
	void *robust_next;
};

#define DN_SLOT_CHECK(field, offset) _Static_assert(offsetof(struct dn_slot, field) == (offset), #field)
DN_SLOT_CHECK(owner_ptr, DN_SLOT_OWNER_PTR);
DN_SLOT_CHECK(posted, DN_SLOT_POSTED);
DN_SLOT_CHECK(done, DN_SLOT_DONE);
DN_SLOT_CHECK(count, DN_SLOT_COUNT);
DN_SLOT_CHECK(executed, DN_SLOT_EXECUTED);
DN_SLOT_CHECK(home_valid, DN_SLOT_HOME_VALID);
DN_SLOT_CHECK(waiters, DN_SLOT_WAITERS);
DN_SLOT_CHECK(waiters[1].val, DN_SLOT_WAIT_POSTED_VAL);
DN_SLOT_CHECK(home_mask, DN_SLOT_HOME_MASK);
DN_SLOT_CHECK(home_sp, DN_SLOT_HOME_SP);
DN_SLOT_CHECK(home_regs, DN_SLOT_HOME_REGS);
DN_SLOT_CHECK(records, DN_SLOT_RECORDS);
_Static_assert(sizeof(struct dn_record) == DN_RECORD_SIZE, "record");

/* The loop, position independent, one page at most (arch/loop_*.S). */
extern const unsigned char dn_loop_code[], dn_loop_code_end[];
#endif
