/* SPDX-License-Identifier: BSD-3-Clause */
/* drivers.h - the drivers of open files, one in each file of that name */
#pragma once

#include "resource/resource.h"

extern const struct dn_file_driver dn_driver_regular; /* files, folders, O_PATH; deleted files */
extern const struct dn_file_driver dn_driver_device;  /* character devices without state */
extern const struct dn_file_driver dn_driver_proc;
extern const struct dn_file_driver dn_driver_pipe;
extern const struct dn_file_driver dn_driver_fifo;
extern const struct dn_file_driver dn_driver_memfd; /* and shared anonymous memory */
extern const struct dn_file_driver dn_driver_timerfd;
extern const struct dn_file_driver dn_driver_eventfd;
/* Is it a semaphore?  Asks by reading and puts back what was there; for kernels before 6.5.  -errno. */
int dn_eventfd_try(int fd, uint64_t count, bool *ret_semaphore);
extern const struct dn_file_driver dn_driver_signalfd;
extern const struct dn_file_driver dn_driver_pidfd;
extern const struct dn_file_driver dn_driver_epoll;
extern const struct dn_file_driver dn_driver_unix;
extern const struct dn_file_driver dn_driver_inet;    /* TCP and UDP */
extern const struct dn_file_driver dn_driver_pty;     /* pseudo-terminals with their masters */
extern const struct dn_file_driver dn_driver_outside; /* standard streams that lead out of the tree */
