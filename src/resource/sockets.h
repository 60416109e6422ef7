/* SPDX-License-Identifier: BSD-3-Clause */
/* sockets.h - what the drivers of sockets have in common */
#pragma once

#include "resource/context.h"

/* ---- what the kernel tells of sockets by netlink (sockdiag.c) ---- */

struct dn_unix_info {
	uint32_t ino;
	uint32_t peer;	   /* its ino; 0: none, or closed */
	bool has_peer;	   /* or had one */
	uint8_t state;	   /* TCP_ESTABLISHED, TCP_LISTEN, TCP_CLOSE: not connected */
	uint8_t shutdown;  /* bits: 1 receives no more, 2 sends no more */
	uint32_t file;	   /* ino of the file that it is bound to; 0: none */
	uint32_t waiting;  /* bytes in its queue; of a listener connections that were not accepted */
	uint32_t backlog;  /* of a listener: how many of these there may be */
	uint32_t listener; /* connected, but not accepted yet: by this one's ino */
};

/* All unix sockets of the network namespace, sorted by ino; to be freed. */
int dn_unix_list(struct dn_unix_info **ret, size_t *ret_count, struct dn_error *err);
/* NULL: not there. */
const struct dn_unix_info *dn_unix_find(const struct dn_unix_info *list, size_t count, ino_t ino);

/* ---- options that all sockets have (sockopt.c) ---- */

/* A new message with the options that differ from those of a new socket. */
int dn_socket_options_capture(int fd, Dn__SocketOptions **ret, struct dn_error *err);
int dn_socket_options_check(const Dn__SocketOptions *m, struct dn_error *err);
/* Only the size of the send buffer: what is queued needs it, other options change what is sent. */
int dn_socket_options_room(int fd, const Dn__SocketOptions *m, struct dn_error *err);
int dn_socket_options_restore(int fd, const Dn__SocketOptions *m, struct dn_error *err);
