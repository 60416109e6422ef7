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

/* ---- TCP and UDP (inet.c, tcp.c) ---- */

struct dn_description;

/* "127.0.0.1:80", for messages; text is returned. */
const char *dn_inet_text(const ProtobufCBinaryData *address, char text[static 80]);
/* Binds to m->local whatever else has been there or is there for the same program; SO_REUSEADDR is on then. */
int dn_inet_bind(int fd, const Dn__InetFile *m, struct dn_error *err);

/* The connection of description d: with whom, and what is on its way. */
int dn_tcp_capture(struct dn_capture *c, struct dn_description *d, struct dn_error *err);
/* A connection of the tree, or none at all. */
bool dn_tcp_check(struct dn_restore *r, const Dn__File *file);
/* Makes all connections of the image, into dn_open_file.made. */
int dn_tcp_connect_all(struct dn_restore *r, struct dn_error *err);
/* The tree is about to be killed: connections are to end at once, without a trace that would keep their ports. */
void dn_tcp_before_kill(struct dn_capture *c);

/* ---- options that all sockets have (sockopt.c) ---- */

/* An option that is a number; -1: the socket has none such. */
int dn_socket_number(int fd, int level, int name);

/* A new message with the options that differ from those of a new socket. */
int dn_socket_options_capture(int fd, Dn__SocketOptions **ret, struct dn_error *err);
int dn_socket_options_check(const Dn__SocketOptions *m, struct dn_error *err);
/* Only the sizes of buffers: what is queued needs them, other options change what is sent. */
int dn_socket_options_room(int fd, const Dn__SocketOptions *m, struct dn_error *err);
int dn_socket_options_restore(int fd, const Dn__SocketOptions *m, struct dn_error *err);
