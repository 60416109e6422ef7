/* SPDX-License-Identifier: BSD-3-Clause */
/* message.h - building protobuf-c messages that dn__*__free_unpacked(message, NULL) can free
 *
 * What generated code frees must come from malloc, element by element.  Repeated fields have a count
 * and no capacity: room is made at powers of two, so that adding stays cheap and needs no third number.
 * Only arrays that were grown here from empty may be added to.
 */
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>

/* Replaces a bytes field by a copy.  0 or -ENOMEM (then nothing changed). */
int dn_message_bytes(ProtobufCBinaryData *field, const void *data, size_t len);

/* Replaces a string field by a copy. */
int dn_message_string(char **field, const char *text);

/* A new message with its defaults; NULL without memory:
 *	Dn__Mm *mm = dn_message_new(&dn__mm__descriptor); */
void *dn_message_new(const ProtobufCMessageDescriptor *descriptor);

/* One more element of size bytes at the end of a repeated field, zeroed; array is the address of the
 * pointer and n that of its count.  NULL without memory. */
void *dn_message_append(void *array, size_t *n, size_t size);

/* The same for a repeated message: appends a new one and returns it.
 *	Dn__Limit *l = dn_message_add(&process->limits, &process->n_limits, &dn__limit__descriptor); */
void *dn_message_add(void *array, size_t *n, const ProtobufCMessageDescriptor *descriptor);

/* The same for a repeated bytes field: appends a copy.  0 or -ENOMEM. */
int dn_message_add_bytes(ProtobufCBinaryData **array, size_t *n, const void *data, size_t len);
